# SPDX-License-Identifier: GPL-2.0
"""Generic netlink without a library: netlink(7), genetlink; numbers from rust/uapi/linux/homing.h."""

import os
import re
import socket
import struct

from . import layout, netns

NLM_F_REQUEST, NLM_F_ACK, NLM_F_DUMP = 1, 4, 0x300
_ERROR, _DONE, _GENL_ID_CTRL = 2, 3, 16
_SOL_NETLINK, _ADD_MEMBERSHIP, _EXT_ACK = 270, 1, 11
_NESTED = 0x8000


def constants():
    """Every number of the uapi header by name."""
    path = f"{layout.ROOT}/rust/uapi/linux/homing.h"
    with open(path, encoding="utf-8") as file:
        text = re.sub(r"/\*.*?\*/", "", file.read(), flags=re.S)
    found = {name: int(value) for name, value in re.findall(r"#define\s+(HOMING_\w+)\s+(\d+)", text)}
    for body in re.findall(r"enum\s*\w*\s*\{(.*?)\};", text, flags=re.S):
        value = -1
        for entry in filter(None, (part.strip() for part in body.split(","))):
            name, _, given = (part.strip() for part in entry.partition("="))
            if given and not given.isdigit():
                continue
            value = int(given) if given else value + 1
            found[name] = value
    return found


class Refused(OSError):
    """The kernel said no: errno, and the text of the extended acknowledgement."""

    def __init__(self, number, text, offset):
        super().__init__(number, f"{os.strerror(number)}: {text}")
        self.text, self.offset = text, offset


def attribute(kind, value):
    """One attribute: bytes as they are, text with NUL, a list as nested attributes, True as a flag."""
    if value is True:
        data = b""
    elif isinstance(value, list):
        data, kind = b"".join(attribute(*pair) for pair in value), kind | _NESTED
    elif isinstance(value, str):
        data = value.encode() + b"\0"
    else:
        data = value
    return struct.pack("=HH", len(data) + 4, kind) + data + b"\0" * (-len(data) % 4)


def attributes(data):
    """{kind: bytes} of a run of attributes; a kind that comes again keeps its last value."""
    found = {}
    while len(data) >= 4:
        length, kind = struct.unpack("=HH", data[:4])
        found[kind & 0x3fff] = data[4:length]
        data = data[max(4, length + 3 & ~3):]
    return found


class Socket:
    """A generic netlink socket in a namespace, bound to one family."""

    def __init__(self, ns, family="homing", seconds=10):
        with netns.inside(ns):
            self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)  # NETLINK_GENERIC
        self._socket.bind((0, 0))
        self._socket.settimeout(seconds)
        self._socket.setsockopt(_SOL_NETLINK, _EXT_ACK, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._number = 0
        self.family = _GENL_ID_CTRL
        info = self.ask(3, attribute(2, family), version=1)[0][1]  # CTRL_CMD_GETFAMILY, CTRL_ATTR_FAMILY_NAME
        self.groups = {}
        for group in attributes_of_list(info.get(7, b"")):  # CTRL_ATTR_MCAST_GROUPS
            self.groups[group[1].rstrip(b"\0").decode()] = struct.unpack("=I", group[2])[0]
        self.family = struct.unpack("=H", info[1])[0]

    def join(self, group):
        """Subscribes to a multicast group by name."""
        self._socket.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, self.groups[group])

    def settimeout(self, seconds):
        """For receiving."""
        self._socket.settimeout(seconds)

    def messages(self):
        """The next datagram as (type, flags, payload) triples."""
        data = self._socket.recv(1 << 17)
        while len(data) >= 16:
            length, kind, flags, _, _ = struct.unpack("=IHHII", data[:16])
            yield kind, flags, data[16:length]
            data = data[length + 3 & ~3:]

    def event(self):
        """The next notification: (command, attributes)."""
        for kind, _, payload in self.messages():
            if kind == self.family:
                return payload[0], attributes(payload[4:])
        return None

    def ask(self, command, payload=b"", flags=NLM_F_ACK, version=1):
        """One request; returns its answers as (command, attributes); raises Refused."""
        self._socket.send(self.message(command, payload, flags, version))
        answers = []
        while True:
            for kind, header_flags, data in self.messages():
                if kind == _DONE:
                    return answers
                if kind == _ERROR:
                    code = -struct.unpack("=i", data[:4])[0]
                    if code == 0:
                        return answers
                    raise self._refusal(code, header_flags, data)
                answers.append((data[0], attributes(data[4:])))

    def message(self, command, payload=b"", flags=0, version=1):
        """The bytes of a request."""
        self._number += 1
        body = struct.pack("=BBH", command, version, 0) + payload
        return struct.pack("=IHHII", 16 + len(body), self.family, NLM_F_REQUEST | flags, self._number, 0) + body

    def begin_dump(self, command, version=1):
        """Asks for a dump and reads nothing of it."""
        self._socket.send(self.message(command, b"", NLM_F_DUMP, version))

    @staticmethod
    def _refusal(code, flags, data):
        text, offset = "", None
        if flags & 0x200:  # NLM_F_ACK_TLVS
            length = struct.unpack("=I", data[4:8])[0]
            skip = 4 + (16 if flags & 0x100 else length)  # NLM_F_CAPPED: the request's header alone
            tlvs = attributes(data[skip + 3 & ~3:])
            text = tlvs.get(1, b"").rstrip(b"\0").decode(errors="backslashreplace")
            offset = struct.unpack("=I", tlvs[2])[0] if 2 in tlvs else None
        return Refused(code, text, offset)

    def close(self):
        """Closes."""
        self._socket.close()


def attributes_of_list(data):
    """The members of a nested array, each as {kind: bytes}."""
    found = []
    while len(data) >= 4:
        length = struct.unpack("=H", data[:2])[0]
        found.append(attributes(data[4:length]))
        data = data[max(4, length + 3 & ~3):]
    return found
