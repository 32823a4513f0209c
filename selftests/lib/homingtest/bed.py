# SPDX-License-Identifier: GPL-2.0
"""The farm as a test sees it: one that fits is used again, one that does not is built anew."""

import os
import random
import subprocess

from . import cli, config, farm, layout, netns, servers as http_servers, shell, state, tap, wait, web


class Bed:
    """A configured farm, clean of what an earlier test may have left."""

    def __init__(self, count=3, servers=None, **options):
        wanted = {"policy": None, "push": True, "scale": scale(), "nic_offload": "on", "weights": {}, "insert": True,
                  "farm_family": 6 if layout.FARM_SIX else 4, **options}
        here = state.load()
        kind = servers or http_servers.default_kind()
        if here is None or (len(here["members"]), here["servers"], here["config"], here["options"]) != (
                count, kind, True, wanted):
            farm.down()
            farm.up(count, True, kind, **wanted)
        else:
            restore(here)
        self.members = layout.members(count)

    def others(self, *names):
        """The members that are not named."""
        return [name for name in self.members if name not in names]

    def session(self, sid, ns):
        """The association of `sid` as member `ns` has it, or None."""
        for row in cli.show("sessions", ns=ns):
            if row["sid"] == sid:
                return row
        return None

    def sessions_of(self, sid):
        """{member: (home, version, state)} of every living member that has an association of `sid`."""
        found = {}
        for member in state.alive(state.load()):
            row = self.session(sid, member)
            if row:
                found[member] = (row["home"], row["version"], row["state"])
        return found

    def everywhere(self, sid, home, seconds=5.0):
        """Waits until every living member has the association of `sid` with this home."""
        def probe():
            seen = self.sessions_of(sid)
            missing = {name: seen.get(name) for name in state.alive(state.load())
                       if seen.get(name, (None,))[0] != home}
            return not missing or wait.Explained(f"{missing}")
        wait.until(f"association {sid[:8]} -> {home} everywhere", probe, seconds=seconds)

    def new_client(self, entry, home=None, port=layout.PORT):
        """A client whose first request went in at `entry`; with `home`, one that this member answered.

        A few times the selection may have its way; then the entry member is made to believe that
        nobody else is to get sessions.
        """
        farm.entry(entry)
        for attempt in range(6):
            if attempt == 5:
                steer(entry, home, self.members)
            client = web.Client()
            try:
                response = client.get(unique("/first"), port=port)
            finally:
                if attempt == 5:
                    thaw(entry, self.members)
            tap.equal(response.status, 200, "status of a first request")
            if home is None or response.member == home:
                tap.true(client.sid, f"Set-Cookie in the first response, answered by {response.member}")
                client.home = response.member
                return client
        raise tap.Failure(f"a first request through {entry}, which may only choose {home}, went to {response.member}")

    def stats(self):
        """The counters of every living member."""
        return {name: cli.stats(name) for name in state.alive(state.load())}

    def moved(self, before):
        """{member: {counter: difference}} since `before`, living members only."""
        return {name: cli.changed(before.get(name, {}), now) for name, now in self.stats().items()}

    def reload(self):
        """Takes everything down and builds the same farm again."""
        here = state.load()
        farm.down()
        farm.up(len(here["members"]), here["config"], here["servers"], **here["options"])


def scale():
    """How much the farm's time constants are stretched; HOMING_SCALE, for hosts that emulate slowly."""
    given = os.environ.get("HOMING_SCALE")
    return int(given) if given else None


def patient():
    """The scale of a farm on the wall clock: a guest may stand still for seconds, and no member is down for that."""
    return max(10, scale() or 1)


def steer(ns, home, members):
    """Makes member `ns` believe, until `thaw`, that `home` alone is to get new sessions."""
    cli.homing("debug", "freeze", ns=ns)
    for member in members:
        cli.homing("debug", "state", member, "state=up" if member == home else "state=draining", ns=ns)


def thaw(ns, members):
    """Lets a member believe what it hears again: of all, and without what `debug state` said."""
    for member in members:
        cli.homing("debug", "state", member, "clear", ns=ns)
    cli.homing("debug", "thaw", ns=ns)


def restore(here):
    """Brings a farm that is up back to how `up` leaves it."""
    for name, member in here["members"].items():
        if not member["alive"]:
            farm.start(name)
        elif member["cut"]:
            farm.connect(name, True)
    for name in here["members"]:
        thaw(name, here["members"])
        cli.homing("debug", "push", "on" if here["options"]["push"] else "off", ns=name)
    farm.entry("spread")
    config.wait_up(list(here["members"]))


_serial = random.Random(os.getpid())


def unique(prefix="/r"):
    """A path that no other request of this boot has, so that its log lines are its own."""
    return f"{prefix}-{os.getpid()}-{_serial.getrandbits(40):010x}"


def need(*programs):
    """Skips unless every one of `programs` is installed."""
    for program in programs:
        if not shell.have(program):
            raise tap.Skip(f"{program} is not installed")


def need_verb(*words):
    """Skips when the tool does not know the verb: the step that brings it is not there yet."""
    if not cli.understands(*words):
        raise tap.Skip(f"`homing {' '.join(words)}` is not there yet")


def curl(*words, jar=None, check=True):
    """curl in the client's namespace, with a cookie jar file; returns the CompletedProcess."""
    options = ["-sS", "--max-time", "30"]
    if jar:
        options += ["-b", jar, "-c", jar]
    return shell.run("curl", *options, *words, ns="client", check=check)


def big_file(name, size, seed=1):
    """Makes a file of `size` random bytes that every member serves as /big/NAME; returns its bytes."""
    data = random.Random(seed).randbytes(size)
    os.makedirs(layout.big_folder(), exist_ok=True)
    path = f"{layout.big_folder()}/{name}"
    with open(path + ".new", "wb") as file:
        file.write(data)
    os.replace(path + ".new", path)
    return data


def background(ns, *command):
    """Starts a program in namespace `ns`; the caller ends it."""
    with netns.inside(ns):
        return subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

