# SPDX-License-Identifier: GPL-2.0
"""Results as one document: medians over the seeds, a table with ratios, what moved, pictures."""

import html
import statistics

OWN, TOTAL = 1.01, 1.02  # gates: the module's own instructions, all instructions
SLACK = 2.0  # instructions that decide nothing
# What the others are compared with: the same traffic without any balancer.
PLAIN = {"conn": "conn", "ka": "ka", "down": "down", "up": "up"}


def merge(boots):
    """[(kind, seed, {case: measured})] as {kind: {case: medians}}."""
    found = {}
    for kind, seed, cases in boots:
        for name, measured in cases.items():
            found.setdefault(kind, {}).setdefault(name, []).append((seed, measured))
    return {kind: {name: _median(entries) for name, entries in cases.items()} for kind, cases in found.items()}


def _median(entries):
    entries = [measured for _, measured in sorted(entries, key=lambda pair: pair[0])]
    first = entries[0]
    merged = {"group": first["group"], "units": first["units"]}
    for key in ("total", "user", "module", "accesses"):
        if key in first:
            values = [entry[key] for entry in entries]
            merged[key] = statistics.median(values)
            merged[f"{key}_all"] = values
    for key in ("modules", "functions", "accesses_of", "kernel", "grown"):
        if key in first:
            names = dict.fromkeys(name for entry in entries for name in entry[key])
            merged[key] = {name: statistics.median(entry[key].get(name, 0) for entry in entries) for name in names}
    return merged


def spread(entry, key):
    """(greatest - least) / median of a value over the seeds, in percent."""
    values = entry.get(f"{key}_all", [0])
    middle = statistics.median(values)
    return 100 * (max(values) - min(values)) / middle if middle else 0.0


def baseline(name, bare):
    """The same traffic without the module: by the same name, else by its kind."""
    if name in bare:
        return bare[name]
    return bare.get(PLAIN.get(name.split("-", 1)[0], ""), None)


def table(result):
    """Everything, in Markdown."""
    homing, bare = result["cases"].get("homing", {}), result["cases"].get("bare", {})
    lines = [f"kernel {result['kernel']}, commit {result['commit']}, {result['seeds']} seeds; instructions per unit, "
             "medians", ""]
    groups = dict.fromkeys(entry["group"] for entry in [*homing.values(), *bare.values()])
    for group in groups:
        rows = [(name, entry) for name, entry in homing.items() if entry["group"] == group and "total" in entry]
        if not rows:
            continue
        lines += [f"### {group}", "", "| unit | in homing.ko | accesses | total | without the module | difference | ratio "
                  "| spread |", "|---|---:|---:|---:|---:|---:|---:|---:|"]
        for name, entry in rows:
            other = baseline(name, bare)
            against = ("", "", "")
            if other:
                against = (f"{other['total']:,.0f}", f"{entry['total'] - other['total']:+,.0f}",
                           f"{entry['total'] / other['total']:.3f}")
            lines.append(f"| {name} | {entry['module']:,.0f} | {entry['accesses']:,.0f} | {entry['total']:,.0f} | "
                         + " | ".join(against) + f" | {spread(entry, 'total'):.2f} % |")
        lines.append("")
    for name, entry in homing.items():
        if "grown" in entry:
            lines += [f"### {entry['group']}", "", "| slab cache | bytes a unit |", "|---|---:|"]
            lines += [f"| {cache} | {by:,.1f} |" for cache, by in sorted(entry["grown"].items(), key=lambda p: -p[1])]
            lines.append("")
    return "\n".join([*lines, *spread_over(result.get("rough", {}))])


def spread_over(rough):
    """The lines about processors: what two do against one, with the module and without."""
    if not rough:
        return []
    few, many = sorted(rough["homing"], key=int)
    lines = ["### by the wall clock: ROUGH, for how it spreads over processors alone", "",
             f"| unit | a second, {few} processor | {many} | times | without the module, times |", "|---|---:|---:|---:|---:|"]
    for name, rate in rough["homing"][few].items():
        plain = rough["bare"][many][PLAIN[name.split("-", 1)[0]]] / rough["bare"][few][PLAIN[name.split("-", 1)[0]]]
        more = rough["homing"][many][name]
        lines.append(f"| {name} | {rate:,.0f} | {more:,.0f} | {more / rate:.2f} | {plain:.2f} |")
    return [*lines, ""]


def compare(old, new):
    """(text, number of gates passed): what moved between two results."""
    lines, over = [f"{old['commit']} -> {new['commit']}", ""], 0
    for kind in new["cases"]:
        for name, entry in new["cases"][kind].items():
            before = old["cases"].get(kind, {}).get(name)
            if "total" not in entry or before is None or "total" not in before:
                continue
            words = []
            for key, label, gate in (("module", "in homing.ko", OWN), ("total", "total", TOTAL)):
                was, now = before[key], entry[key]
                high = now > was * gate and now - was > SLACK
                over += high
                if high or was and abs(now - was) > SLACK and abs(now / was - 1) > gate - 1:
                    words.append(f"{label} {was:,.1f} -> {now:,.1f} ({100 * (now / was - 1) if was else 100:+.1f} %)"
                                 + (" OVER" if high else ""))
            if words:
                lines.append(f"{kind}: {name}: " + "; ".join(words))
    for kind in old["cases"]:
        for name in old["cases"][kind]:
            if name not in new["cases"].get(kind, {}):
                lines.append(f"{kind}: {name}: not measured any more")
    if len(lines) == 2:
        lines.append("nothing moved")
    lines.append(f"{over} over the gates (+1 % in homing.ko, +2 % in total)")
    return "\n".join(lines), over


def plots(result, folder):
    """An SVG for each group: a bar for each unit, the module's own part in another colour."""
    homing, bare = result["cases"].get("homing", {}), result["cases"].get("bare", {})
    for group in dict.fromkeys(entry["group"] for entry in homing.values()):
        rows = [(name, entry) for name, entry in homing.items() if entry["group"] == group and "total" in entry]
        rows += [(f"{name} (not loaded)", entry) for name, entry in bare.items()
                 if entry["group"] == group and "total" in entry]
        if rows:
            with open(f"{folder}/{group.replace(', ', '-').replace(' ', '-')}.svg", "w", encoding="utf-8") as file:
                file.write(bars(group, rows))


def bars(title, rows):
    """One picture."""
    most = max(entry["total"] for _, entry in rows) or 1
    wide, high = 900, 24
    left, room = 230, 560
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{60 + high * len(rows)}" '
           'font-family="sans-serif" font-size="12">',
           f'<text x="10" y="22" font-size="15">{html.escape(title)}: instructions per unit</text>']
    for number, (name, entry) in enumerate(rows):
        y = 40 + number * high
        own, whole = (room * value / most for value in (entry.get("module", 0), entry["total"]))
        out += [f'<text x="{left - 8}" y="{y + 13}" text-anchor="end">{html.escape(name)}</text>',
                f'<rect x="{left}" y="{y}" width="{whole:.1f}" height="17" fill="#9ab"/>',
                f'<rect x="{left}" y="{y}" width="{own:.1f}" height="17" fill="#c40"/>',
                f'<text x="{left + whole + 6:.0f}" y="{y + 13}">{entry["total"]:,.0f}</text>']
    return "\n".join([*out, "</svg>", ""])
