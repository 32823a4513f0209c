# SPDX-License-Identifier: GPL-2.0
"""What is done to separate machines while clients are at work; all of it goes into a history (see `history`)."""

import hashlib
import random
import time

from . import history, layout, machine, machines, nemesis, wait
from .machines import MEMBERS

# Silence takes ten times as long to mean something as in a farm of namespaces (see `machine.begin`).
SETTLE = 40.0
LASTS = 20


class Nemesis:
    """Clients at work at three machines, and events in an order that `seed` chooses."""

    def __init__(self, file, seed):
        self.chance, self.recorder = random.Random(seed), history.Recorder(file)
        machine.entry(*MEMBERS)
        hashes = {"1M": hashlib.sha256(machine.big()).hexdigest()}
        self.clients = nemesis.Clients(self.recorder, hashes, seed, workers=2, each=8, seconds=machines.SECONDS)

    def run(self, events):
        """Does the events, each to a machine by chance; then writes down what the machines have."""
        self.chance.shuffle(events)
        for event in events:
            victim = self.chance.choice(MEMBERS)
            print(f"# {time.monotonic():.1f} {event.__name__} {victim}", flush=True)
            event(self, victim, [name for name in MEMBERS if name != victim])
            machines.all_up()
            machine.entry(*MEMBERS)
            time.sleep(SETTLE + 5)
        self.clients.stop()
        time.sleep(SETTLE + 5)
        for member in MEMBERS:
            self.recorder.note(map=member, at=time.monotonic(), sessions=history.stored(machines.show(member, "sessions")))
        self.recorder.close()


def kill(context, victim, others):
    """Power off, and on again after the others have noticed."""
    with nemesis.fault(context.recorder, "kill", victim):
        machine.host("kill", victim)
        machine.entry(*others)
        machines.until_called(victim, "down", others)
        machine.host("boot", victim)
        machines.all_up()


def pause(context, victim, others):
    """It stands still until the others miss it, and goes on as if nothing had been."""
    with nemesis.fault(context.recorder, "pause", *MEMBERS):
        machine.host("pause", victim)
        machine.entry(*others)
        try:
            machines.until_called(victim, "not up", others)
        finally:
            machine.host("resume", victim)
        machines.all_up()


def filtered(victim, *rules):
    """Drops what the rules say at the victim for a while."""
    text = "\n".join(["table inet nemesis {", *rules, "}"])
    machine.run(victim, "sh", "-c", f"echo '{text}' | nft -f -")
    time.sleep(LASTS)
    machine.run(victim, "nft", "delete", "table", "inet", "nemesis")


def cut(context, victim, _others):
    """Nothing that members say to each other comes from or to the victim."""
    with nemesis.fault(context.recorder, "cut", *MEMBERS):
        filtered(victim, *(f"chain {hook} {{ type filter hook {hook} priority 0; udp dport {layout.FARM_PORT} drop; }}"
                           for hook in ("input", "output")))
        machines.all_up()


def one_way(context, victim, others):
    """The victim does not hear one of the others. No fault to the history: no session may move for it, none fail."""
    peer = layout.farm4(context.chance.choice(others))
    filtered(victim, f"chain input {{ type filter hook input priority 0; "
                     f"ip saddr {peer} udp dport {layout.FARM_PORT} drop; }}")


def lossy(context, victim, _others):
    """Every fifth message from the victim is lost, others come twice and late."""
    with nemesis.fault(context.recorder, "lossy", victim):
        machine.run(victim, "tc", "qdisc", "add", "dev", "farm0", "root", "netem",
                    *"limit 100000 delay 2ms 2ms loss 20% duplicate 10%".split())
        time.sleep(LASTS)
        machine.run(victim, "tc", "qdisc", "del", "dev", "farm0", "root", seconds=180)


def drain(context, victim, others):
    """Its sessions move away; then it is back."""
    with nemesis.fault(context.recorder, "drain", victim):
        machine.run(context.chance.choice(others), "homing", "member", "drain", victim, "--mode", "move")
        machines.until_called(victim, "draining")
        time.sleep(LASTS)
        machine.run(context.chance.choice(others), "homing", "member", "up", victim)
        machines.all_up()


def orders(context, victim, _others):
    """Some sessions are moved to the victim, one is ended."""
    wait.until("some sessions", lambda: len(context.clients.sids()) >= 4, seconds=machines.SECONDS)
    for sid, verb in zip(context.chance.sample(context.clients.sids(), 4), ("move", "move", "move", "end")):
        start = time.monotonic()
        words = (victim,) if verb == "move" else ()
        try:
            machine.run(context.chance.choice(MEMBERS), "homing", "session", verb, sid, *words)
        except RuntimeError:
            continue  # one that nobody has confirmed may be forgotten by the member that was asked
        known = {"moved": sid, "to": victim} if verb == "move" else {"ended": sid}
        context.recorder.note(**known, start=start, end=time.monotonic())


EVENTS = (kill, pause, cut, one_way, lossy, drain, orders)
