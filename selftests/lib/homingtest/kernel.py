# SPDX-License-Identifier: GPL-2.0
"""What the kernel says of itself: memory, and its log."""

import os

from . import shell


def _caches():
    return [cache for cache in os.scandir("/sys/kernel/slab") if not cache.is_symlink()]


def _shrink():
    """Lets go of what is free: a kernel with KASAN keeps that for long."""
    for cache in _caches():
        with open(f"{cache.path}/shrink", "w", encoding="ascii") as file:
            file.write("1")


def slab():
    """KiB of the kernel's slabs that cannot be reclaimed, without those that are free."""
    _shrink()
    with open("/proc/meminfo", encoding="ascii") as file:
        return int(next(line for line in file if line.startswith("SUnreclaim:")).split()[1])


def objects():
    """{cache: KiB of the objects in use}, those that can be reclaimed left out. Finer than `slab`: slabs may have room."""
    _shrink()
    found = {}
    for cache in _caches():
        def number(name, path=cache.path):
            with open(f"{path}/{name}", encoding="ascii") as file:
                return int(file.read().split()[0])
        if not number("reclaim_account"):
            found[cache.name] = number("objects") * number("slab_size") / 1024
    return found


def log_lines():
    """Lines of the kernel log so far."""
    return len(shell.run("dmesg").stdout.splitlines())
