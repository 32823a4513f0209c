# SPDX-License-Identifier: GPL-2.0
"""What the kernel says of itself: memory, and its log."""

import os

from . import shell


def slab():
    """KiB of the kernel's slabs that cannot be reclaimed, without what is free: a kernel with KASAN keeps that for long."""
    for cache in os.scandir("/sys/kernel/slab"):
        if not cache.is_symlink():
            with open(f"{cache.path}/shrink", "w", encoding="ascii") as file:
                file.write("1")
    with open("/proc/meminfo", encoding="ascii") as file:
        return int(next(line for line in file if line.startswith("SUnreclaim:")).split()[1])


def log_lines():
    """Lines of the kernel log so far."""
    return len(shell.run("dmesg").stdout.splitlines())
