# SPDX-License-Identifier: GPL-2.0
"""A history of what clients did and what was done to the farm, and whether the two agree.

A history is a file of JSON objects, one a line, in any order; times are seconds of one clock:

    {"op": N, "sid": S, "start": T, "end": T, "member": M, "new": S}   a request with session S (or null), answered by
                                        M; `new` is the id of a Set-Cookie. "error": TEXT instead of `member` when it failed
    {"sent": HASH, "got": HASH, ...}    in an op too: of the body at the server, and as it arrived
    {"fault": WORD, "members": [M...], "start": T, "end": T}   members were down, cut off, drained... until T
    {"moved": S, "to": M, "start": T, "end": T}     an operator moved a session
    {"ended": S, "start": T, "end": T}              an operator ended a session
    {"map": M, "at": T, "sessions": {S: [HOME, VERSION, STATE, IDLE]}}     what a member had stored, at rest: confirmed
                                        and ended sessions, and how many seconds ago each was used, as known there

Every rule looks at one session at a time and reads its operations once, so histories may be long.
"""

import json

SETTLE = 5.0  # seconds after a fault within which the farm may still be finding itself
IDLE = 900  # seconds; what was used since, no member has dropped for idleness: that takes 1800


class Recorder:
    """Writes a history while it happens. Whole lines, so threads may share one."""

    def __init__(self, path):
        self._file = open(path, "w", encoding="utf-8", buffering=1)  # pylint: disable=consider-using-with

    def note(self, **record):
        """One record."""
        self._file.write(json.dumps(record) + "\n")

    def close(self):
        """The history is complete."""
        self._file.close()


def read(path):
    """The records of a file. A line that is no record is an error: a cut-off history proves nothing."""
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


class Faults:
    """When something was done to which member."""

    def __init__(self, records, settle):
        self._windows = [(record["start"], record["end"] + settle, frozenset(record["members"]))
                         for record in records if "fault" in record]
        self.kills = [(record["start"], record["end"] + settle)
                      for record in records if record.get("fault") == "kill"]

    def touch(self, start, end, member=None):
        """Whether a fault (of this member) overlaps the time."""
        return any(begin <= end and start <= over and (member is None or member in members)
                   for begin, over, members in self._windows)


def check(records, settle=SETTLE):
    """What is wrong with a history: a list of sentences, empty when nothing is."""
    faults = Faults(records, settle)
    ops = sorted((record for record in records if "op" in record), key=lambda op: op["end"])
    sessions = {}
    for op in ops:
        for sid in {op.get("sid"), op.get("new")} - {None}:
            sessions.setdefault(sid, []).append(op)
    orders = {}
    for record in records:
        for word in ("moved", "ended"):
            if word in record:
                orders.setdefault(record[word], []).append(record)
    wrong = whole(ops) + bounded_loss(ops, faults)
    for sid, own in sessions.items():
        wrong += one_home(sid, own, orders.get(sid, []), faults)
        wrong += no_return(sid, own, orders.get(sid, []), settle)
    return wrong + converged(records, faults)


def answered_by(sid, op):
    """The member that served the session in this operation, or None: it failed, or began another session."""
    if op.get("error") or op.get("new") not in (None, sid):
        return None
    return op.get("member")


def one_home(sid, ops, orders, faults):
    """A session is answered by its home, and has another one only after a fault or an order (no theft, single home)."""
    wrong, homes, last = [], set(), None
    for op in ops:
        member = answered_by(sid, op)
        if member is None:
            continue
        since = last["start"] if last else op["start"]
        moved = [order for order in orders if "moved" in order and order["start"] <= op["end"] and order["end"] >= since]
        if not homes or member in homes:
            pass
        elif not moved and not faults.touch(since, op["end"]):
            wrong.append(f"session {sid[:8]}: op {op['op']} was answered by {member}, its home was "
                         f"{' or '.join(sorted(homes))} and nothing had happened")
        elif moved and not faults.touch(since, op["end"]) and member not in {order["to"] for order in moved}:
            wrong.append(f"session {sid[:8]}: op {op['op']} was answered by {member}, it was moved to {moved[-1]['to']}")
        # While a fault lasts, parts of the farm may differ; in quiet times one home is left.
        homes = homes | {member} if faults.touch(op["start"], op["end"]) else {member}
        last = op
    return wrong


def no_return(sid, ops, orders, settle):
    """A session that was ended serves no request any more (no resurrection)."""
    ends = [order["end"] + settle for order in orders if "ended" in order]
    return [f"session {sid[:8]}: op {op['op']} was answered by {op['member']} although the session had been ended"
            for op in ops if ends and op["start"] > min(ends) and op.get("sid") == sid and answered_by(sid, op)]


def bounded_loss(ops, faults):
    """Nothing fails in quiet times, and a power failure costs each session one request at most."""
    failed = [op for op in ops if op.get("error")]
    wrong = [f"op {op['op']} ({'a body' if 'sent' in op else 'a request'} of session {str(op.get('sid'))[:8]}, from "
             f"{op['start']:.1f} to {op['end']:.1f} s) failed although nothing had happened: {op['error']}"
             for op in failed if not faults.touch(op["start"], op["end"])]
    for start, end in faults.kills:
        count = {}
        for op in failed:
            if op.get("sid") and op["start"] <= end and op["end"] >= start:
                count.setdefault(op["sid"], []).append(op["op"])
        wrong += [f"session {sid[:8]}: ops {numbers} failed by one power failure at {start:.3f}"
                  for sid, numbers in count.items() if len(numbers) > 1]
    return wrong


def whole(ops):
    """Every body that arrived is the one that was sent (stream integrity)."""
    return [f"op {op['op']}: the body arrived with another hash than it was sent with"
            for op in ops if not op.get("error") and op.get("sent") != op.get("got")]


def stored(rows):
    """The sessions of a map, out of what `homing show sessions` says. Tentative ones go by themselves, at each member."""
    return {row["sid"] or row["key"]: [row["home"], row["version"], row["state"], row["idle_s"]]
            for row in rows if row["state"] != "tentative"}


def converged(records, faults):
    """At rest all members store the same, and each of them every confirmed session (convergence).

    A home that drops a session for idleness tells nobody, and the tombstone of an ended one only keeps it from coming
    back: these may be missing at a member, but none may differ.
    """
    wrong, seen = [], {}
    maps = [record for record in records if "map" in record]
    for record in maps:
        if faults.touch(record["at"], record["at"]):
            wrong.append(f"the map of {record['map']} was taken before the farm was at rest")
        for sid, (home, version, state, idle) in record["sessions"].items():
            seen.setdefault(sid, {})[record["map"]] = ((home, version, state), idle)
    everybody = {record["map"] for record in maps}
    for sid, at in seen.items():
        found = {}
        for member, (what, _) in sorted(at.items()):
            found.setdefault(what, []).append(member)
        missing = sorted(everybody - set(at))
        if len(found) > 1:
            views = "; ".join(f"{home} version {version} {state} at {' '.join(members)}"
                              for (home, version, state), members in sorted(found.items()))
            wrong.append(f"session {sid[:8]}: members differ: {views}")
        elif missing and next(iter(found))[2] == "confirmed" and min(idle for _, idle in at.values()) < IDLE:
            wrong.append(f"session {sid[:8]}: confirmed at {' '.join(sorted(at))}, missing at {' '.join(missing)}")
    return wrong
