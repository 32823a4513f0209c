# SPDX-License-Identifier: GPL-2.0
"""The kernel module under test: finding the file for the running kernel, insmod, rmmod."""

import os
import time

from . import layout, shell

NAME = "homing"
# What the module's symbols come from; insmod, unlike modprobe, does not look for them.
NEEDED = ("udp_tunnel", "ip6_udp_tunnel", "nf_defrag_ipv6")


def loaded():
    """True when the module is loaded."""
    return os.path.isdir(f"/sys/module/{NAME}")


def candidates():
    """Where a built module may be; HOMING_MODULE, which `qemu/run` sets, names the one."""
    given = os.environ.get("HOMING_MODULE")
    return [given] if given else [f"{layout.ROOT}/build/{tier}/homing.ko" for tier in ("stock", "debug")]


def path():
    """The module built for the running kernel; raises RuntimeError that says what was found instead."""
    release, seen = os.uname().release, []
    for file in candidates():
        if not os.path.exists(file):
            seen.append(f"{file}: not built")
            continue
        magic = shell.run("modinfo", "-F", "vermagic", file).stdout.split()
        if magic and magic[0] == release:
            return file
        seen.append(f"{file}: built for {magic[0] if magic else 'no kernel'}")
    raise RuntimeError(f"no module for the running kernel {release} ({'; '.join(seen)})")


def load():
    """Loads the module with what it needs; returns False when it was there already."""
    if loaded():
        return False
    file = path()
    shell.run("modprobe", "-a", *NEEDED)
    shell.run("insmod", file)
    return True


def unload(seconds=30.0):
    """Unloads the module, with patience: namespaces that were just removed are still being cleared.

    Returns None, or the reason why it is still loaded.
    """
    end = time.monotonic() + seconds
    while loaded():
        done = shell.run("rmmod", NAME, check=False)
        if done.returncode == 0:
            break
        if time.monotonic() > end:
            return done.stderr.strip()
        time.sleep(0.2)
    return None
