#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Write the Rust form of a netlink spec: consts.py SPEC > consts.rs (kernel: Documentation/userspace-api/netlink/specs.rst)."""
import re
import sys

import yaml


def constant(name):
    return name.upper().replace("-", "_")


def camel(name):
    return "".join(part.capitalize() for part in name.split("-"))


def doc(text, indent=""):
    """Doc comment lines; long ones are wrapped so that the file stays readable."""
    words, lines, line = text.split(), [], f"{indent}///"
    for word in words:
        word = word.replace("``", "`")
        if len(line) + 1 + len(word) > 99:
            lines.append(line)
            line = f"{indent}///"
        line += " " + word
    return lines + [line]


def enum(definition):
    name = camel(definition["name"])
    entries = [e if isinstance(e, dict) else {"name": e} for e in definition["entries"]]
    out = doc(definition["doc"]) + ["#[derive(Clone, Copy, Debug, PartialEq, Eq)]", "#[repr(u32)]", f"pub enum {name} {{"]
    for value, entry in enumerate(entries):
        out += doc(entry.get("doc", f"The {entry['name']}."), "    ") + [f"    {camel(entry['name'])} = {value},"]
    out += ["}", "", f"impl {name} {{"]
    out += ["    /// Every value, in the order of their numbers."]
    out += ["    #[rustfmt::skip]", f"    pub const ALL: [Self; {len(entries)}] = ["]
    out += [f"        Self::{camel(e['name'])}," for e in entries] + ["    ];", ""]
    out += ["    /// The value with this number; `None` when the contract has no such value."]
    out += ["    pub const fn from_u32(value: u32) -> Option<Self> {", "        match value {"]
    out += [f"            {n} => Some(Self::{camel(e['name'])})," for n, e in enumerate(entries)]
    out += ["            _ => None,", "        }", "    }", ""]
    out += ["    /// The name as the contract spells it.", "    pub const fn name(self) -> &'static str {", "        match self {"]
    out += [f"            Self::{camel(e['name'])} => \"{e['name']}\"," for e in entries]
    return out + ["        }", "    }", "}", ""]


def module(name, about, items, kind):
    """One module of numbers with a table of their names, indexed by number minus one."""
    out = doc(about) + [f"pub mod {name} {{"]
    for number, (item, text) in enumerate(items, 1):
        out += doc(text, "    ") + [f"    pub const {constant(item)}: {kind} = {number};"]
    out += ["    /// Names, the first one that of number 1."]
    out += ["    #[rustfmt::skip]"] + [f"    pub const NAMES: [&str; {len(items)}] = ["]
    out += [f"        \"{item}\"," for item, _ in items]
    return out + ["    ];", "}", ""]


def main():
    spec = yaml.safe_load(open(sys.argv[1], encoding="utf-8"))
    out = ["// SPDX-License-Identifier: ((GPL-2.0 WITH Linux-syscall-note) OR BSD-3-Clause)", ""]
    out += ["//! The numbers of the netlink contract for Rust.", "//!"]
    out += ["//! Do not edit: made from `rust/uapi/homing.yaml` by `rust/uapi/regen.sh`.", ""]
    out += ["/// Name of the generic netlink family.", f"pub const FAMILY_NAME: &str = \"{spec['name']}\";"]
    out += ["/// Version of the family.", "pub const FAMILY_VERSION: u8 = 1;"]
    for definition in spec["definitions"]:
        if definition["type"] == "const":
            out += doc(definition["doc"]) + [f"pub const {constant(definition['name'])}: usize = {definition['value']};"]
    out.append("")
    for definition in spec["definitions"]:
        if definition["type"] == "enum":
            out += enum(definition)
    for space in spec["attribute-sets"]:
        items = [(a["name"], a["doc"]) for a in space["attributes"]]
        out += module(space["name"].replace("-", "_"), f"Attributes: {space['doc']}", items, "u16")
    items = [(o["name"], o["doc"].strip()) for o in spec["operations"]["list"]]
    out += module("cmd", "Commands and notifications.", items, "u8")
    groups = [(g["name"], f"Group {g['name']}.") for g in spec["mcast-groups"]["list"]]
    out += doc("Multicast groups: index in the family's table, and names.") + ["pub mod group {"]
    for number, (item, text) in enumerate(groups):
        out += doc(text, "    ") + [f"    pub const {constant(item)}: u32 = {number};"]
    out += ["    /// Names, in the order of their indices."]
    out += ["    #[rustfmt::skip]"] + [f"    pub const NAMES: [&str; {len(groups)}] = ["] + [f"        \"{g}\"," for g, _ in groups] + ["    ];", "}"]
    print(re.sub(r"\n{3,}", "\n\n", "\n".join(out)))


main()
