# SPDX-License-Identifier: GPL-2.0
"""Seeing what is on a wire: tcpdump into a file, read again as bytes or by tshark."""

import os
import re
import socket
import struct
import subprocess
import tempfile

from . import layout, netns, shell, wait


class Capture:
    """`with Capture("m1", "eth0", "tcp port 80") as capture:` records; afterwards read `frames()`."""

    def __init__(self, ns, device, expression="", name=None):
        self._ns, self._device, self._expression = ns, device, expression
        label = name or f"{ns}-{device}"
        descriptor, self.file = tempfile.mkstemp(prefix=f"homing-{label}-", suffix=".pcap")
        os.close(descriptor)
        self._process = None

    def __enter__(self):
        # -U writes each packet at once, -Z root keeps the file ours, --immediate-mode hands each up.
        # Where the link is not Ethernet, each packet takes as much of the buffer as the longest may: of
        # 2 MB and 256 KiB, which are usual, 8 packets fill it.
        command = ["tcpdump", "-i", self._device, "-w", self.file, "-U", "-n", "-s", "65600",
                   "-B", "16384", "-Z", "root", "--immediate-mode", *self._expression.split()]
        with netns.inside(self._ns):
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                             stderr=subprocess.PIPE, text=True)
        for line in self._process.stderr:
            if "listening on" in line:
                return self
        raise RuntimeError(f"tcpdump did not start on {self._ns} {self._device}")

    def __exit__(self, *_exception):
        # What is on its way to tcpdump is not lost: it ends when the file has come to rest. A wire
        # of the farm network never rests, so a second and a half is the most it gets.
        sizes = []

        def at_rest():
            sizes.append(os.path.getsize(self.file))
            return len(sizes) > 15 or len(sizes) > 3 and len(set(sizes[-4:])) == 1

        wait.until("the capture is at rest", at_rest, seconds=60, pause=0.1)
        self._process.terminate()
        _, said = self._process.communicate(timeout=20)
        lost = re.search(r"^(\d+) packets? dropped by kernel", said, re.MULTILINE)
        if not lost or int(lost[1]):
            raise RuntimeError(f"tcpdump on {self._ns} {self._device} has not seen everything: {said}")

    def timed_frames(self):
        """(seconds, bytes of the frame with its link header): pcap has a header of 24, records of 16 bytes."""
        found = []
        with open(self.file, "rb") as file:
            order = "<" if file.read(24)[:1] == b"\xd4" else ">"
            while len(head := file.read(16)) == 16:
                seconds, micros, length, was = struct.unpack(order + "IIII", head)
                # libpcap gives an Ethernet frame 64 KiB, whatever it is asked for.
                if length < min(was, 65535):
                    raise RuntimeError(f"a packet of {was} bytes was cut")
                found.append((seconds + micros / 1e6, file.read(length)))
        return found

    def frames(self):
        """The bytes of each frame, link header first."""
        return [frame for _, frame in self.timed_frames()]

    def fields(self, *names, display="", options=()):
        """tshark's fields `names` of the packets that match `display`: a list of tuples of text."""
        command = ["tshark", "-n", "-r", self.file, "-T", "fields", "-E", "separator=/t", *options]
        for name in names:
            command += ["-e", name]
        if display:
            command += ["-Y", display]
        output = shell.run(*command, timeout=300).stdout
        return [tuple(line.split("\t")) for line in output.splitlines()]

    def remove(self):
        """Deletes the file."""
        os.unlink(self.file)


def outer(frame):
    """(source, destination, offset of the UDP header) of a frame of the farm's own traffic."""
    packet = frame[14:]
    if packet[0] >> 4 == 6:
        return socket.inet_ntop(socket.AF_INET6, packet[8:24]), socket.inet_ntop(socket.AF_INET6, packet[24:40]), 54
    return socket.inet_ntoa(packet[12:16]), socket.inet_ntoa(packet[16:20]), 14 + (packet[0] & 15) * 4


def is_control(frame):
    """Whether a frame of the farm's own traffic is a control message: the O bit, RFC 8926 section 3.4."""
    return bool(frame[outer(frame)[2] + 8 + 1] & 0x80)


def farm_as_geneve():
    """tshark options that decode the farm's port as Geneve (RFC 8926)."""
    return ("-d", f"udp.port=={layout.FARM_PORT},geneve")
