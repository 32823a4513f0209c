# SPDX-License-Identifier: GPL-2.0
"""The separate machines of the test `machines` as the edge sees them: what they show, and waiting for it."""

import json

from . import layout, machine, wait

MEMBERS = layout.members(3)
SECONDS = 60  # machines are emulated, and the host has fewer processors than they


def show(name, what):
    """`homing show WHAT` on a member."""
    answer = json.loads(machine.run(name, "homing", "-j", "show", what))
    lists = [part for part in answer.values() if isinstance(part, list)] if isinstance(answer, dict) else [answer]
    return lists[0] if lists else answer


def states(name):
    """What a member calls the others."""
    return {row["name"]: row["state"] for row in show(name, "members")}


def until_called(name, wanted, by=MEMBERS):
    """Waits until members, which may be starting, call `name` that, or something else than up."""
    def probe():
        try:
            seen = {other: states(other)[name] for other in by if other != name}
        except (OSError, RuntimeError, ValueError) as error:
            return wait.Explained(str(error))
        return all(state != "up" if wanted == "not up" else state == wanted for state in seen.values()) \
            or wait.Explained(f"{name} is called {seen}")
    wait.until(f"{name} is called {wanted}", probe, seconds=180, pause=1)


def all_up(seconds=600):
    """Waits until all see each other up."""
    def probe():
        try:
            seen = {name: states(name) for name in MEMBERS}
        except (OSError, RuntimeError, ValueError) as error:
            return wait.Explained(str(error))
        good = all(set(row.values()) == {"up"} and len(row) == 3 for row in seen.values())
        return good or wait.Explained(str(seen))
    wait.until("three machines see each other up", probe, seconds=seconds, pause=1)


def counters(name):
    """The counters of a member."""
    return json.loads(machine.run(name, "homing", "-j", "show", "stats"))


def until_quiet(name):
    """Waits until no connection lives at a member. Of those of others it may keep where they are, for an hour."""
    def probe():
        left = [row for row in show(name, "flows") if row["owner"] == name and row["state"] != "closed"]
        return not left or wait.Explained(f"{left}")
    wait.until(f"no connection is left at {name}", probe, seconds=300, pause=2)


def replace(name):
    """Replaces the module of a member that is quiet."""
    machine.run(name, "homing", "detach", "eth0")
    machine.run(name, "python3", machine.__file__, "again", name, 3, seconds=300)
