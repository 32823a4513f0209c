# SPDX-License-Identifier: GPL-2.0
"""On the host: what the plugin counted, by symbol; what the guest measured, by case."""

import bisect
import collections
import json
import re

MODULE = "homing"

def symbols(path):
    """(addresses, [(name, module)]) of the kernel's and the modules' text, sorted."""
    found = []
    with open(path, encoding="ascii") as file:
        for line in file:
            words = line.split()
            found.append((int(words[0], 16), words[2], words[3].strip("[]") if len(words) > 3 else "vmlinux"))
    found.sort()
    return [address for address, _, _ in found], [(name, module) for _, name, module in found]


def segments(path):
    """{number: (user instructions, {address: (instructions, accesses)})} of the plugin's output."""
    found, user, counts, number, ended = {}, 0, {}, None, True
    with open(path, encoding="ascii") as file:
        for line in file:
            words = line.split()
            if words[0] == "BEGIN":
                number, counts, ended = int(words[1]), {}, False
            elif words[0] == "USER":
                user = int(words[1])
            elif words[0] == "P":
                counts[int(words[1], 16)] = (int(words[2]), int(words[3]))
            elif words[0] == "END":
                found[number], ended = (user, counts), True
            else:
                raise ValueError(f"{path}: {line!r}")
    if not ended:
        raise ValueError(f"{path}: ends within a segment")
    return found


def readable(name):
    """The path in a mangled Rust name (v0), without crates and hashes; a C name as it is."""
    if not name.startswith("_R"):
        return name
    # What tells equal names apart: "s", a number, "_"; before a name, and after the C of a crate.
    text = re.sub(r"(?<=[A-Z])s[0-9a-zA-Z]*_(?=\d)", "", name[2:])
    parts, at = [], 0
    while match := re.compile(r"[1-9]\d*").search(text, at):
        begin = match.end() + (text[match.end():match.end() + 1] == "_")
        word = text[begin:begin + int(match[0])]
        if len(word) == int(match[0]) and re.fullmatch(r"[A-Za-z_]\w*", word):
            parts.append(word)
            at = begin + len(word)
        else:
            at = match.end()
    return "::".join(part for part in parts if part not in (MODULE, "kernel", "core")) or name


def by_symbol(counts, table):
    """({module: instructions}, {(module, function): accesses}, {(module, function): instructions})."""
    addresses, names = table
    modules, accesses, functions = collections.Counter(), collections.Counter(), collections.Counter()
    for address, (count, access) in counts.items():
        at = bisect.bisect(addresses, address + 3) - 1
        name, module = names[at] if at >= 0 else ("?", "?")
        modules[module] += count
        accesses[module, name] += access
        functions[module, name] += count
    return modules, accesses, functions


def by_name(counts, n):
    """{readable name: per unit} of the module; several functions may have one such name."""
    found = collections.Counter()
    for (module, name), count in counts.items():
        if module == MODULE:
            found[readable(name)] += count / n
    return found


def read(folder, profile):
    """{case: what was measured} of one boot."""
    table = symbols(f"{folder}/symbols")
    counted = segments(profile)
    found = {}
    with open(f"{folder}/results", encoding="ascii") as file:
        records = [json.loads(line) for line in file]
    for record in records:
        entry = {"group": record["group"], "units": record["n"]}
        found[record["name"]] = entry
        if "grown" in record:
            entry["grown"] = record["grown"]
        if "ns" not in record:
            continue
        n = record["n"]
        user, counts = counted[record["segment"]]
        modules, accesses, functions = by_symbol(counts, table)
        whole = user + sum(modules.values())
        # Two clocks, one truth: the guest's nanoseconds are the instructions that the plugin has seen, unless
        # it is at rest, when time passes without any.
        if record["idle"]:
            record["ns"] = whole
        elif abs(whole - record["ns"]) > 0.002 * record["ns"] + 3000:
            raise ValueError(f"{record['name']}: the plugin counted {whole} instructions, the guest {record['ns']} ns")
        entry["total"] = round(record["ns"] / n, 1)
        entry["user"] = round(user / n, 1)
        entry["module"] = round(modules.get(MODULE, 0) / n, 1)
        own = by_name(accesses, n)
        entry["accesses"] = round(sum(own.values()), 1)
        entry["accesses_of"] = {name: round(by, 1) for name, by in own.items() if by >= 0.5}
        entry["modules"] = {name: round(count / n, 1) for name, count in modules.most_common(12)}
        entry["functions"] = {name: round(by, 1) for name, by in by_name(functions, n).most_common() if by >= 0.5}
        entry["kernel"] = {name: round(count / n, 1) for (module, name), count in functions.most_common(40)
                           if module != MODULE}
    return found
