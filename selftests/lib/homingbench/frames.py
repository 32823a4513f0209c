# SPDX-License-Identifier: GPL-2.0
"""Frames that are sent to member m1, as the router would: made by hand, or taken off the wire."""

import struct

from homingtest import layout, rawip, rawtcp, topology

TO_M1 = bytes.fromhex((topology.mac(1, 2) + topology.mac(1, 1)).replace(":", ""))
UDP = 17
# As Linux sends them: MSS 1460, SACK, timestamps, window scale 7.
ALL_OPTIONS = bytes.fromhex("020405b40402080a0001e24000000000") + b"\1\3\3\7"


def frame(packet, six=False, ethertype=None):
    """A packet in an Ethernet frame to m1."""
    return TO_M1 + struct.pack("!H", ethertype or (0x86dd if six else 0x0800)) + packet


def udp(payload, port, six=False, **rest):
    """A UDP datagram to the VIP; checksum 0 is none over IPv4, and computed over IPv6."""
    data = struct.pack("!HHHH", 4000, port, 8 + len(payload), 0) + payload
    if six:
        total = rawip.checksum(rawip.ends(True) + struct.pack("!II", len(data), UDP) + data)
        data = data[:6] + struct.pack("!H", total or 0xffff) + data[8:]
    return frame(rawip.packet(six, data, UDP, **rest), six)


def segment(six, ports, seq, ack, flags, **rest):
    """A TCP segment to the VIP."""
    return frame(rawip.packet(six, rawip.tcp(six, ports, seq, ack, flags, **rest)), six)


def syns(six=False, options=b"", count=1500, flags=rawip.SYN, bad=False, port=layout.PORT):
    """SYNs from as many ports; with `bad`, of a wrong checksum."""
    found = []
    for number in range(count):
        data = segment(six, (10000 + number, port), 1000 * number + 7, 0, flags, options=options)
        if bad:
            data = data[:-len(options) - 4] + bytes([data[-len(options) - 4] ^ 0x55]) + data[-len(options) - 3:]
        found.append(data)
    return found


def write(path, frames):
    """A file for `load frames`."""
    with open(path, "wb") as file:
        for data in frames:
            file.write(struct.pack("=H", len(data)) + data)


def verify_checksums(packet):
    """Raises AssertionError unless the IPv4 header and the TCP segment of `packet` carry right checksums."""
    head = (packet[0] & 15) * 4
    whole = struct.unpack("!H", packet[2:4])[0]
    tcp = packet[head:whole]
    if rawtcp.checksum(packet[:head]):
        raise AssertionError("checksum of the IP header")
    if rawtcp.checksum(packet[12:20] + struct.pack("!HH", 6, len(tcp)) + tcp):
        raise AssertionError("checksum of the segment")
