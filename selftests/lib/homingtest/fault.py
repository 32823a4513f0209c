# SPDX-License-Identifier: GPL-2.0
"""The kernel's fault injection, for what has the module on its stack alone: fault-injection.rst."""

import contextlib
import ctypes
import errno
import os

from . import module, shell, tap

FOLDER = "/sys/kernel/debug"
MANY = 1_000_000
KINDS = ("failslab", "fail_page_alloc", "fail_skb_realloc", "fail_function")
OTHERS = ("fail_usercopy", "fail_skb_realloc")  # what `nth` would count, too
_FINIT_MODULE = 313  # x86-64
_libc = ctypes.CDLL(None, use_errno=True)


def need():
    """Skips unless this kernel injects faults."""
    shell.run("mount", "-t", "debugfs", "debugfs", FOLDER, check=False)
    missing = [kind for kind in KINDS if not os.path.exists(f"{FOLDER}/{kind}/require-start")]
    if missing or not os.path.exists("/proc/self/fail-nth"):
        raise tap.Skip(f"this kernel injects no faults ({' '.join(missing)})")


def _symbols():
    with open("/proc/kallsyms", encoding="ascii") as file:
        for line in file:
            yield line.split()


def text():
    """(first, last) address of the loaded module's code."""
    found = [int(words[0], 16) for words in _symbols() if words[3:] == [f"[{module.NAME}]"] and words[1] in "tT"]
    return min(found), max(found) + 4096


def any_module():
    """(first, last) address where modules are: behind the kernel's own image."""
    end = next(int(words[0], 16) for words in _symbols() if words[2] == "_end")
    return end, 0xffffffffff000000


def _leak_detector():
    """(first, last) address of what allocates for kmemleak, which has a reserve: its failing says nothing of ours."""
    found = sorted((int(words[0], 16), words[2]) for words in _symbols() if len(words) == 3)
    for (first, name), (last, _) in zip(found, found[1:]):
        if name == "__create_object":
            return first, last
    return 0, 0


def _set(kind, **values):
    for name, value in values.items():
        with open(f"{FOLDER}/{kind}/{name.replace('_', '-')}", "w", encoding="ascii") as file:
            file.write(str(value))


@contextlib.contextmanager
def armed(kind, probability, where, **more):
    """Makes calls of this kind fail in so many of a hundred cases, below code of `where`; yields how many did."""
    _set(kind, verbose=0, interval=1, space=0, task_filter="N", stacktrace_depth=32,
         require_start=hex(where[0]), require_end=hex(where[1]), times=MANY, **more)

    def injected():
        with open(f"{FOLDER}/{kind}/times", encoding="ascii") as file:
            return MANY - int(file.read())
    try:
        _set(kind, probability=probability)
        yield injected
    finally:
        _set(kind, probability=0, times=0)


def functions():
    """{name: kind} of the module's functions that may be made to fail; the kind says how: error-injection.h."""
    with open(f"{FOLDER}/error_injection/list", encoding="ascii") as file:
        rows = [line.split() for line in file]
    return {row[0]: row[-1] for row in rows if f"[{module.NAME}]" in row}


@contextlib.contextmanager
def function(name, probability):
    """Makes calls of a function fail in so many of a hundred cases, without having done anything; yields as `armed`."""
    folder = f"{FOLDER}/fail_function"
    with open(f"{folder}/inject", "w", encoding="ascii") as file:
        file.write(name)
    try:
        with open(f"{folder}/{name}/retval", "w", encoding="ascii") as file:
            # Of one whose failure is NULL the kernel takes this alone.
            file.write(hex((-errno.ENOMEM if functions()[name] == "ERRNO" else 0) & 0xffffffffffffffff))
        with armed("fail_function", probability, text()) as injected:
            yield injected
    finally:
        with open(f"{folder}/inject", "w", encoding="ascii") as file:
            file.write(f"!{name}")


@contextlib.contextmanager
def systematic(where):
    """Prepares for `nth`: memory of every kind may fail, below code of `where`, when it is asked to."""
    detector = _leak_detector()
    for kind in ("failslab", "fail_page_alloc"):
        _set(kind, verbose=0, probability=0, times=-1, stacktrace_depth=32, ignore_gfp_wait="N",
             require_start=hex(where[0]), require_end=hex(where[1]),
             reject_start=hex(detector[0]), reject_end=hex(detector[1]))
    _set("fail_page_alloc", min_order=0, ignore_gfp_highmem="N")
    for kind in OTHERS:
        # Nothing of this world.
        _set(kind, stacktrace_depth=0, require_start=1, require_end=2)
    try:
        yield
    finally:
        for kind in ("failslab", "fail_page_alloc"):
            _set(kind, require_start=0, require_end="0xffffffffffffffff", reject_start=0, reject_end=0,
                 ignore_gfp_wait="Y")
        for kind in OTHERS:
            _set(kind, require_start=0, require_end="0xffffffffffffffff")


def nth(number, call):
    """Calls `call()` with the allocation of this number, from 1 on, failing.

    Returns (what it returned, the OSError it raised, whether there was an allocation of that number).
    """
    result = error = None
    fd = os.open("/proc/thread-self/fail-nth", os.O_RDWR)
    try:
        os.write(fd, str(number).encode())
        try:
            result = call()
        except OSError as reason:
            error = reason
        left = int(os.pread(fd, 32, 0))
        os.pwrite(fd, b"0", 0)
    finally:
        os.close(fd)
    return result, error, left == 0


def insert_module(path):
    """finit_module(2) in the calling task; raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if _libc.syscall(_FINIT_MODULE, fd, b"", 0) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    finally:
        os.close(fd)
