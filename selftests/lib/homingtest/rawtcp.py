# SPDX-License-Identifier: GPL-2.0
"""A TCP peer made of single segments, for what no kernel's client would send: RFC 9293, packet(7).

It speaks from an address that the client's host does not own, so that host's kernel stays silent.
"""

import random
import socket
import struct
import time

from . import layout, netns, shell, topology

ADDRESS4, ADDRESS6 = "10.70.0.77", "fd70::77"
ADDRESS = ADDRESS6 if layout.SIX else ADDRESS4
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
_ETH_P_IP, _ETH_P_IPV6 = 0x0800, 0x86dd
_FAMILY, _ETH_P = (socket.AF_INET6, _ETH_P_IPV6) if layout.SIX else (socket.AF_INET, _ETH_P_IP)
_EXTENSIONS = (0, 43, 60)  # hop-by-hop, routing, destination options: RFC 8200 section 4


def checksum(data):
    """The Internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


class Segment:
    """A received TCP segment, in a packet of either family (IPv6 without fragment or AH header)."""

    def __init__(self, packet):
        if packet[0] >> 4 == 4:
            head, whole, protocol = (packet[0] & 15) * 4, struct.unpack("!H", packet[2:4])[0], packet[9]
            family, ends = socket.AF_INET, (packet[12:16], packet[16:20])
        else:
            head, whole, protocol = 40, 40 + struct.unpack("!H", packet[4:6])[0], packet[6]
            family, ends = socket.AF_INET6, (packet[8:24], packet[24:40])
            while protocol in _EXTENSIONS:
                protocol, head = packet[head], head + 8 + packet[head + 1] * 8
        if protocol != 6:
            raise NotTcp(f"protocol {protocol}")
        tcp = packet[head:whole]
        self.source, self.destination = (socket.inet_ntop(family, end) for end in ends)
        self.offset = head  # of the TCP header in the packet
        self.sport, self.dport, self.seq, self.ack, offset, self.flags, self.window = struct.unpack(
            "!HHIIBBH", tcp[:16])
        self.options = self._options(tcp[20:(offset >> 4) * 4])
        self.payload = tcp[(offset >> 4) * 4:]

    @staticmethod
    def _options(data):
        found, at = {}, 0
        while at < len(data) and data[at] != 0:
            if data[at] == 1:
                at += 1
                continue
            found[data[at]] = data[at + 2:at + data[at + 1]]
            at += data[at + 1]
        return found

    def __repr__(self):
        names = "".join(letter for bit, letter in ((FIN, "F"), (SYN, "S"), (RST, "R"), (PSH, "P"), (ACK, "."))
                        if self.flags & bit)
        return f"<{self.sport}>{self.dport} {names} seq {self.seq} ack {self.ack} len {len(self.payload)}>"


def fresh_port():
    """A source port that no peer of this farm has had: what is left of a connection answers in its own way."""
    path = f"{layout.RUN}/raw-port"
    try:
        with open(path, encoding="ascii") as file:
            last = int(file.read())
    except FileNotFoundError:
        last = 20000
    port = 20001 if last >= 59999 else last + 1
    with open(path, "w", encoding="ascii") as file:
        file.write(str(port))
    return port


class NotTcp(ValueError):
    """The packet has no TCP in it."""


def of_frames(frames):
    """The TCP segments in frames of Ethernet, in order, whatever else is among them left out."""
    found = []
    for frame in frames:
        if frame[12:14] in (b"\x08\x00", b"\x86\xdd"):
            try:
                found.append(Segment(frame[14:]))
            except NotTcp:
                pass
    return found


def ip_packet(payload, source=None, destination=layout.VIP, protocol=6, extensions=(), flags=0x4000):
    """An IP packet of the run's family around `payload`, its checksum not looked at.

    `extensions` are IPv6 extension headers in order: (number, bytes after the next-header byte);
    `flags` are those of IPv4, with the fragment's offset.
    """
    ends = (source or socket.inet_pton(_FAMILY, ADDRESS)) + socket.inet_pton(_FAMILY, destination)
    if not layout.SIX:
        ip = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), random.getrandbits(16), flags, 64, protocol, 0) + ends
        return ip[:10] + struct.pack("!H", checksum(ip)) + ip[12:] + payload
    numbers = [number for number, _ in extensions] + [protocol]
    chain = b"".join(bytes([after]) + body for (_, body), after in zip(extensions, numbers[1:]))
    return struct.pack("!IHBB", 6 << 28, len(chain) + len(payload), numbers[0], 64) + ends + chain + payload


class Peer:
    """One connection's client side. Fields `seq` and `ack` are what the next segment carries.

    `room` is for bytes that have come and are not looked at yet; what has none is lost.
    """

    def __init__(self, port=layout.PORT, source_port=None, room=None):
        shell.ip_batch([f"neigh replace {ADDRESS} lladdr {topology.mac(0, 2)} dev eth0"], ns="router")
        with netns.inside("client"):
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P))
            self._socket.bind(("eth0", _ETH_P))
        if room:
            self._socket.setsockopt(socket.SOL_SOCKET, 33, room)  # SO_RCVBUFFORCE
        self._gateway = bytes.fromhex(topology.mac(0, 1).replace(":", ""))
        self.port = port
        self.source_port = source_port or fresh_port()
        self.isn = random.getrandbits(32)
        self.seq, self.ack, self.timestamp = self.isn, 0, None
        self.extensions = ()  # of every packet, as for `ip_packet`

    def build(self, flags, payload=b"", seq=None, ack=None, options=b"", window=64240, bad_checksum=False,
              source=None):
        """The bytes of one packet of the run's family; `source` is another address than ours, in network order."""
        options += b"\1" * (-len(options) % 4)
        seq = self.seq if seq is None else seq
        ack = self.ack if ack is None else ack
        tcp = struct.pack("!HHIIBBHHH", self.source_port, self.port, seq & 0xffffffff,
                          ack & 0xffffffff if flags & ACK else 0,
                          (20 + len(options)) << 2, flags, window, 0, 0) + options + payload
        source = source or socket.inet_pton(_FAMILY, ADDRESS)
        total = source + socket.inet_pton(_FAMILY, layout.VIP) + struct.pack("!HH", 6, len(tcp)) + tcp
        total = checksum(total)  # the sum of both families' pseudo-headers
        if bad_checksum:
            total ^= 0x5555
        tcp = tcp[:16] + struct.pack("!H", total) + tcp[18:]
        return ip_packet(tcp, source, extensions=self.extensions)

    def put(self, packet):
        """Sends a packet made by `build`."""
        self._socket.sendto(packet, ("eth0", _ETH_P, 0, 0, self._gateway))

    def send(self, flags, payload=b"", **rest):
        """Builds and sends one segment."""
        self.put(self.build(flags, payload, **rest))

    def receive(self, seconds=2.0, wanted=lambda segment: True):
        """The next segment of this connection that is `wanted`, or None after `seconds`."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._socket.settimeout(left)
            try:
                packet, origin = self._socket.recvfrom(65535)
            except TimeoutError:
                return None
            if origin[2] == 4 or len(packet) < 40:  # 4: PACKET_OUTGOING
                continue
            try:
                segment = Segment(packet)
            except NotTcp:
                continue
            if (segment.destination, segment.sport, segment.dport) == (
                    ADDRESS, self.port, self.source_port) and wanted(segment):
                return segment
        return None

    def syn(self, options=b"\2\4\5\xb4", seconds=5.0, **rest):
        """Sends a SYN (with MSS 1460 by default); returns the answer, or None."""
        self.send(SYN, seq=self.isn, options=options, **rest)
        return self.receive(seconds)

    def open(self, options=b"\2\4\5\xb4"):
        """The handshake up to and with our bare ACK; returns the SYN-ACK."""
        answer = self.syn(options)
        if answer is None or answer.flags & (SYN | ACK) != SYN | ACK:
            raise AssertionError(f"no SYN-ACK: {answer}")
        self.seq, self.ack = self.isn + 1, answer.seq + 1
        self.send(ACK)
        return answer

    def read(self, seconds=5.0, enough=lambda data: b"\r\n\r\n" in data):
        """Collects and acknowledges in-order payload until `enough`, FIN, RST or silence; returns it."""
        data = b""
        while not enough(data):
            segment = self.receive(seconds)
            if segment is None or segment.flags & RST:
                break
            if segment.payload and segment.seq == self.ack & 0xffffffff:
                data += segment.payload
                self.ack += len(segment.payload)
            if segment.flags & FIN:
                self.ack += 1
            self.send(ACK)
            if segment.flags & FIN:
                break
        return data

    def close(self):
        """Gives the socket back; sends nothing."""
        self._socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._socket.close()
