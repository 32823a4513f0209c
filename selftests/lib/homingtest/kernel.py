# SPDX-License-Identifier: GPL-2.0
"""What the kernel says of itself: memory, and its log."""

from . import shell


def slab():
    """KiB of the kernel's slabs that cannot be reclaimed."""
    with open("/proc/meminfo", encoding="ascii") as file:
        return int(next(line for line in file if line.startswith("SUnreclaim:")).split()[1])


def log_lines():
    """Lines of the kernel log so far."""
    return len(shell.run("dmesg").stdout.splitlines())
