# SPDX-License-Identifier: GPL-2.0
"""Requests of the netlink family made from its YNL spec: by name, well-formed or with a value that is forbidden."""

import socket
import sys

import yaml

from . import genl, layout

C = genl.constants()
SIZES = {"u8": 1, "u16": 2, "u32": 4, "s32": 4}
LIMITS = {"s32-max": 0x7fffffff}
V4 = b"\0" * 10 + b"\xff\xff"

# A request of each kind that is accepted, so that what is refused is refused for the one bad attribute.
VALID = {
    "device-attach": {"ifname": "d7"}, "device-detach": {"ifname": "d7"},
    "member-set": {"id": 5, "name": "mX", "addr": V4 + b"\x0a\x09\0\x05"}, "member-del": {"id": 1},
    "member-get": {"id": 1},
    "service-set": {"vip": V4 + b"\x0a\x50\0\x09", "port": 81},
    "service-del": {"vip": V4 + socket.inet_aton(layout.VIP4), "port": 80},
    "session-get": {"key": b"k" * 16}, "session-move": {"key": b"k" * 16, "home": 1},
    "session-end": {"key": b"k" * 16},
    "session-set": {"key": b"s" * 16, "home": 1, "origin": 1, "version": 1, "state": 1, "group": 0,
                    "created": 1, "idle": 0},
    "farm-set": {}, "key-set": {"secret": b"k" * 32}, "debug-set": {},
}


class Spec:
    """The YNL spec, and requests made by it in a namespace."""

    def __init__(self, ns):
        with open(f"{layout.ROOT}/rust/uapi/homing.yaml", encoding="utf-8") as file:
            spec = yaml.safe_load(file)
        self.sets = {one["name"]: {attribute["name"]: attribute for attribute in one["attributes"]}
                     for one in spec["attribute-sets"]}
        self.enums = {one["name"]: one["entries"] for one in spec["definitions"] if one["type"] == "enum"}
        self.consts = {one["name"]: one["value"] for one in spec["definitions"] if one["type"] == "const"}
        self.operations = {one["name"]: one for one in spec["operations"]["list"]}
        self.socket = genl.Socket(ns)

    def number(self, value):
        """A limit of the spec, given as a number or as a name."""
        return value if isinstance(value, int) else self.consts.get(value, LIMITS.get(value))

    def kind(self, area, name):
        """The number of an attribute."""
        return C[f"HOMING_A_{area}_{name}".replace("-", "_").upper()]

    def encode(self, area, name, value):
        """One attribute; bytes are taken as they are."""
        about = self.sets[area][name]
        if isinstance(value, int) and not isinstance(value, bool):
            size = SIZES.get(about["type"], 8 if value > 0xffffffff else 4)
            value = (value & (1 << 8 * size) - 1).to_bytes(size, sys.byteorder)
        return genl.attribute(self.kind(area, name), value)

    def send(self, operation, values, extra=b"", flags=genl.NLM_F_ACK):
        """A request; returns its answers, raises genl.Refused."""
        about = self.operations[operation]
        payload = b"".join(self.encode(about["attribute-set"], name, value) for name, value in values.items())
        return self.socket.ask(C[f"HOMING_CMD_{operation}".replace("-", "_").upper()], payload + extra, flags)

    def everything(self):
        """All that could have changed."""
        found = [self.send(operation, {}, flags=genl.NLM_F_DUMP)
                 for operation in ("member-get", "service-get", "session-get", "device-get", "flow-get")]
        status = dict(self.send("status-get", {})[0][1])
        configured = [C[f"HOMING_A_MEMBER_{name}"] for name in ("ID", "NAME", "ADDR", "WEIGHT", "ADMIN", "LOCAL")]
        members = [{kind: row.get(kind) for kind in configured} for _, row in found[0]]
        return members, found[1:], status

    def bad_values(self, area, name):
        """[(what, bytes)] that the spec forbids for an attribute."""
        about = self.sets[area][name]
        checks, found = about.get("checks", {}), []
        size = SIZES.get(about["type"])

        def number(value):
            return (value & (1 << 8 * size) - 1).to_bytes(size, sys.byteorder)
        if size:
            found.append(("of no bytes", b""))
            found.append(("cut short", b"\1" * (size - 1)) if size > 1 else ("of no byte", b""))
            if "max" in checks and self.number(checks["max"]) + 1 < 1 << 8 * size:
                found.append(("above its limit", number(self.number(checks["max"]) + 1)))
            if checks.get("min"):
                found.append(("below its limit", number(self.number(checks["min"]) - 1)))
            if "enum" in about:
                found.append(("outside its enum", number(len(self.enums[about["enum"]]))))
                found.append(("far outside its enum", number(0xffffffff)))
        elif about["type"] == "string" and "max-len" in checks:
            found.append(("too long", b"x" * (self.number(checks["max-len"]) + 1) + b"\0"))
        elif "exact-len" in checks:
            length = self.number(checks["exact-len"])
            found += [("cut short", b"x" * (length - 1)), ("too long", b"x" * (length + 1)), ("empty", b"")]
        elif about["type"] == "nest":
            found.append(("not nested", None))
        return found
