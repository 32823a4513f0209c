# SPDX-License-Identifier: GPL-2.0
"""What other software puts beside the module: an XDP program, a program that has packets queued to it,
other users of netfilter.

bpf(2), linux/netfilter/nfnetlink_queue.h, linux/udp.h.
"""

import contextlib
import ctypes
import os
import socket
import struct
import threading

from . import netns, shell

_SYS_BPF = {"x86_64": 321, "aarch64": 280}[os.uname().machine]
_PROG_LOAD, _LINK_CREATE, _TYPE_XDP, _ATTACH_XDP, _SKB_MODE = 5, 28, 6, 37, 2
_UDP_ENCAP, _UDP_ENCAP_L2TPINUDP = 100, 3
_libc = ctypes.CDLL(None, use_errno=True)


def _bpf(command, attributes):
    buffer = ctypes.create_string_buffer(attributes, max(len(attributes), 128))
    result = _libc.syscall(_SYS_BPF, command, buffer, len(buffer))
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, f"bpf({command}): {os.strerror(error)}")
    return result


@contextlib.contextmanager
def generic_xdp(ns, device):
    """A program that passes everything is on the device, in generic mode, for the body."""
    code = ctypes.create_string_buffer(struct.pack("<BBhi", 0xb7, 0, 0, 2) + struct.pack("<BBhi", 0x95, 0, 0, 0))
    licence = ctypes.create_string_buffer(b"GPL")
    program = _bpf(_PROG_LOAD, struct.pack("=IIQQ", _TYPE_XDP, 2, ctypes.addressof(code), ctypes.addressof(licence)))
    with netns.inside(ns):
        link = _bpf(_LINK_CREATE, struct.pack("=IIII", program, socket.if_nametoindex(device), _ATTACH_XDP, _SKB_MODE))
    try:
        yield
    finally:
        os.close(link)
        os.close(program)


@contextlib.contextmanager
def same_text():
    """For the body, other software has netfilter hooks wherever the module has, and UDP tunnels.

    So the kernel does not change its own text (the static keys nf_hooks_needed, ingress_needed_key and
    udp_encap_needed_key) as the module comes and goes, which QEMU's emulated processors do not bear when there
    are several: docs/testing.md.
    """
    with contextlib.ExitStack() as stack:
        shell.run("ip", "netns", "add", "other")
        stack.callback(shell.run, "ip", "netns", "delete", "other")
        shell.run("ip", "link", "set", "lo", "up", ns="other")
        chains = "".join(f"chain {hook} {{ type filter hook {hook} priority 0; }}\n"
                         for hook in ("prerouting", "input", "output"))
        shell.run("nft", "-f", "-", ns="other", stdin=f"table inet other {{\n{chains}}}\n" + """table netdev other {
            chain ingress { type filter hook ingress device lo priority 0; }
        }""")
        with netns.inside("other"):
            for family in (socket.AF_INET, socket.AF_INET6):
                tunnel = stack.enter_context(socket.socket(family, socket.SOCK_DGRAM))
                tunnel.setsockopt(socket.IPPROTO_UDP, _UDP_ENCAP, _UDP_ENCAP_L2TPINUDP)
        yield


class Queue:
    """`with Queue("m1", 5) as queue:` accepts what is queued to number 5 there, and counts it."""

    def __init__(self, ns, number):
        self._number, self.seen = number, 0
        with netns.inside(ns):
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)  # NETLINK_NETFILTER
        self._socket.bind((0, 0))
        self._socket.settimeout(0.2)
        self._end = False
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _send(self, kind, attribute, data):
        body = struct.pack("!BBH", 0, 0, self._number) + struct.pack("=HH", 4 + len(data), attribute) + data
        body += b"\0" * (-len(body) % 4)
        self._socket.send(struct.pack("=IHHII", 16 + len(body), 3 << 8 | kind, 1, 0, 0) + body)

    def __enter__(self):
        self._send(2, 1, struct.pack("!BBH", 1, 0, 0))  # bind
        self._send(2, 2, struct.pack("!IB", 0, 1))  # no copy of the data
        self._thread.start()
        return self

    def _run(self):
        while not self._end:
            try:
                data = self._socket.recv(1 << 16)
            except TimeoutError:
                continue
            while len(data) >= 20:
                length, kind = struct.unpack("=IH", data[:6])
                message, at = data[:length], 20
                while kind == 3 << 8 and at + 4 <= len(message):
                    size, attribute = struct.unpack("=HH", message[at:at + 4])
                    if attribute == 1:
                        self.seen += 1
                        self._send(1, 2, struct.pack("!I", 1) + message[at + 4:at + 8])
                    at += (size + 3) & ~3
                data = data[(length + 3) & ~3:]

    def __exit__(self, *_):
        self._end = True
        self._thread.join()
        self._socket.close()
