# SPDX-License-Identifier: GPL-2.0
"""Packets of either family made by hand, whole or in fragments, and a TCP client that speaks with them.

The client has an address that its host does not own, so that host's kernel stays silent. RFC 791,
RFC 8200, packet(7).
"""

import random
import socket
import struct
import time

from . import layout, netns, shell, topology

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
TCP, FRAGMENT = 6, 44


def families(six):
    """(socket family, EtherType, VIP, address of the hand-made client)."""
    if six:
        return socket.AF_INET6, 0x86dd, layout.VIP6, "fd70::78"
    return socket.AF_INET, 0x0800, layout.VIP4, "10.70.0.78"


def checksum(data):
    """The Internet checksum (RFC 1071)."""
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ends(six, source=None, destination=None):
    """Source (the client) and destination (the VIP) as they stand in a header."""
    family, _, vip, client = families(six)
    return socket.inet_pton(family, source or client) + socket.inet_pton(family, destination or vip)


def header4(addresses, payload_len, protocol=TCP, ident=0, fragment=0x4000, ttl=64, tos=0, options=b""):
    """An IPv4 header with its checksum; `fragment` are flags and offset as one field."""
    head = struct.pack("!BBHHHBBH", 0x45 + len(options) // 4, tos, 20 + len(options) + payload_len, ident, fragment,
                       ttl, protocol, 0) + addresses + options
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:]


def header6(addresses, payload_len, protocol=TCP, ttl=64, tos=0):
    """An IPv6 header."""
    return struct.pack("!IHBB", 6 << 28 | tos << 20, payload_len, protocol, ttl) + addresses


def packet(six, payload, protocol=TCP, **rest):
    """An IP packet from the client to the VIP."""
    make = header6 if six else header4
    return make(ends(six), len(payload), protocol, **rest) + payload


def tcp(six, ports, seq, ack, flags, payload=b"", options=b"", window=64240, addresses=None):
    """A TCP segment from the client, or between other `addresses`, with its checksum."""
    options += b"\1" * (-len(options) % 4)
    data = struct.pack("!HHIIBBHHH", *ports, seq & 0xffffffff, ack & 0xffffffff, (20 + len(options)) << 2, flags,
                       window, 0, 0) + options + payload
    total = checksum((addresses or ends(six)) + struct.pack("!II", len(data), TCP) + data)
    return data[:16] + struct.pack("!H", total) + data[18:]


def fragments(six, payload, size, protocol=TCP, ident=None):
    """`payload` as fragments with `size` (a multiple of 8) bytes each, in order."""
    ident, found = random.getrandbits(32) if ident is None else ident, []
    for at in range(0, len(payload), size):
        part, more = payload[at:at + size], at + size < len(payload)
        if six:
            part = struct.pack("!BBHI", protocol, 0, at | more, ident) + part
            found.append(header6(ends(six), len(part), FRAGMENT) + part)
        else:
            field = (0x2000 if more else 0) | at // 8
            found.append(header4(ends(six), len(part), protocol, ident & 0xffff, field) + part)
    return found


class Peer:
    """One connection's client side. Fields `seq` and `ack` are what the next segment carries."""

    def __init__(self, six, port=layout.PORT):
        self.six, self.port, self.source_port = six, port, random.randrange(20000, 60000)
        _, self._protocol, _, self.address = families(six)
        shell.ip_batch([f"neigh replace {self.address} lladdr {topology.mac(0, 2)} dev eth0"], ns="router")
        with netns.inside("client"):
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(self._protocol))
            self._socket.bind(("eth0", self._protocol))
        self._gateway = bytes.fromhex(topology.mac(0, 1).replace(":", ""))
        self.isn = random.getrandbits(32)
        self.seq, self.ack = self.isn, 0

    def put(self, data):
        """Sends an IP packet."""
        self._socket.sendto(data, ("eth0", self._protocol, 0, 0, self._gateway))

    def segment(self, flags, payload=b"", **rest):
        """The bytes of the next TCP segment."""
        return tcp(self.six, (self.source_port, self.port), self.seq, self.ack, flags, payload, **rest)

    def send(self, flags, payload=b"", **rest):
        """Sends the next segment in one packet."""
        self.put(packet(self.six, self.segment(flags, payload, **rest)))

    def receive(self, seconds=3.0):
        """(flags, seq, ack, payload) of the next segment for this connection, or None."""
        end, head = time.monotonic() + seconds, 40 if self.six else 20
        wanted = ends(self.six)
        while (left := end - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                data, origin = self._socket.recvfrom(65535)
            except TimeoutError:
                return None
            addresses = data[8:40] if self.six else data[12:20]
            half = len(wanted) // 2
            if origin[2] == 4 or addresses != wanted[half:] + wanted[:half]:  # 4: PACKET_OUTGOING
                continue
            end_of_data = 40 + struct.unpack("!H", data[4:6])[0] if self.six else struct.unpack("!H", data[2:4])[0]
            segment = data[head:end_of_data]
            sport, dport, seq, ack, offset, flags = struct.unpack("!HHIIBB", segment[:14])
            if (sport, dport) == (self.port, self.source_port):
                return flags, seq, ack, segment[(offset >> 4) * 4:]
        return None

    def open(self):
        """The handshake, with our bare ACK."""
        self.send(SYN, options=b"\2\4\5\xb4")
        answer = self.receive()
        if answer is None or answer[0] & (SYN | ACK) != SYN | ACK:
            raise AssertionError(f"no SYN-ACK: {answer}")
        self.seq, self.ack = self.isn + 1, answer[1] + 1
        self.send(ACK)

    def read(self, seconds=5.0):
        """Collects and acknowledges payload in order until a head is there, or silence."""
        data = b""
        while b"\r\n\r\n" not in data:
            answer = self.receive(seconds)
            if answer is None or answer[0] & RST:
                break
            if answer[3] and answer[1] == self.ack & 0xffffffff:
                data += answer[3]
                self.ack += len(answer[3])
                self.send(ACK)
        return data

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()
