# SPDX-License-Identifier: GPL-2.0
"""Being in a network namespace without forking: setns(2), namespaces(7).

A namespace belongs to a thread, and a child process inherits that of the thread that starts it.
So `with inside("m1"):` holds for sockets opened, files of /proc/sys/net written and programs
started in its body, and costs two system calls, where `ip netns exec` costs two processes.
"""

import contextlib
import ctypes
import os
import socket
import threading
import time

FOLDER = "/run/netns"
CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def _setns(fd):
    if _libc.setns(fd, CLONE_NEWNET) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"setns: {os.strerror(error)}")


def exists(name):
    """True when the namespace `name` has its place in /run/netns."""
    return os.path.exists(f"{FOLDER}/{name}")


def enter(name):
    """Puts the calling thread into namespace `name` for good: for a child that gives up its rights then."""
    target = os.open(f"{FOLDER}/{name}", os.O_RDONLY | os.O_CLOEXEC)
    _setns(target)
    os.close(target)


def enter_file(fd):
    """Puts the calling thread into the namespace of an open file."""
    _setns(fd)


def unshare():
    """Puts the calling thread into a network namespace that is new, unshare(2); raises OSError."""
    if _libc.unshare(CLONE_NEWNET) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"unshare: {os.strerror(error)}")


@contextlib.contextmanager
def inside(name):
    """Puts the calling thread into namespace `name` for the body; None stays where it is."""
    if name is None:
        yield
        return
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        enter(name)
        try:
            yield
        finally:
            _setns(before)
    finally:
        os.close(before)


def write_sysctl(pairs):
    """Writes `{"ipv4.ip_forward": 1, ...}` below /proc/sys/net of the calling thread's namespace."""
    for key, value in pairs.items():
        with open("/proc/sys/net/" + key.replace(".", "/"), "w", encoding="ascii") as file:
            file.write(str(value))


def read_sysctl(key):
    """The text of one file below /proc/sys/net of the calling thread's namespace."""
    with open("/proc/sys/net/" + key.replace(".", "/"), encoding="ascii") as file:
        return file.read().strip()


@contextlib.contextmanager
def sysctl(key, value, *names):
    """One file below /proc/sys/net has this value in these namespaces for the body."""
    before = {}
    try:
        for name in names:
            with inside(name):
                before[name] = read_sysctl(key)
                write_sysctl({key: value})
        yield
    finally:
        for name, old in before.items():
            with inside(name):
                write_sysctl({key: old})


def processes(name):
    """Ids of the processes whose main thread is in namespace `name`, the caller left out."""
    try:
        wanted = os.stat(f"{FOLDER}/{name}")
    except OSError:
        return []
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        try:
            its = os.stat(f"/proc/{entry}/ns/net")
        except OSError:
            continue
        if (its.st_dev, its.st_ino) == (wanted.st_dev, wanted.st_ino):
            found.append(int(entry))
    return found


def is_gone(pid):
    """True when process `pid` holds no sockets any more: it is not there, or a zombie."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] in ("Z", "X")
    except OSError:
        return True


def wait_gone(pids, seconds=30.0):
    """Waits until every process of `pids` is gone; returns those that are not."""
    end = time.monotonic() + seconds
    while True:
        over = time.monotonic() >= end
        pids = [pid for pid in pids if not is_gone(pid)]
        if not pids or over:
            return pids
        time.sleep(0.01)


class Worker(threading.Thread):
    """A thread that runs `body()` in namespace `name`; `result()` joins, returns or raises."""

    def __init__(self, name, body):
        super().__init__(daemon=True)
        self._name_space, self._body = name, body
        self._value, self._error = None, None
        self.start()

    def run(self):
        try:
            with inside(self._name_space):
                self._value = self._body()
        except BaseException as error:  # handed to whoever asks for the result
            self._error = error

    def result(self, seconds=None):
        """What the body returned; raises what it raised, or TimeoutError."""
        self.join(seconds)
        if self.is_alive():
            raise TimeoutError(f"work in namespace {self._name_space} not finished")
        if self._error is not None:
            raise self._error
        return self._value


def in_parallel(jobs):
    """Runs `(namespace, body)` pairs at once; returns the results in order, raises the first error."""
    workers = [Worker(name, body) for name, body in jobs]
    return [worker.result() for worker in workers]


def socket_udp(address, seconds=5.0):
    """A UDP socket of the address's family in the calling thread's namespace, bound to it."""
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    found = socket.socket(family, socket.SOCK_DGRAM)
    found.settimeout(seconds)
    found.bind(address)
    return found
