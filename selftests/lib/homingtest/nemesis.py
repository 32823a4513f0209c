# SPDX-License-Identifier: GPL-2.0
"""Clients at work, and what is done to a farm meanwhile, both written into a history (see `history`)."""

import contextlib
import hashlib
import random
import threading
import time

from . import bed, cli, config, farm, history, layout, netem, shell, tap, wait, web

WORKERS, EACH = 3, 12 if layout.FULL else 4


class Clients:
    """Threads that ask, each for some clients in turn, until they are told to stop."""

    def __init__(self, recorder, hashes, seed, workers=WORKERS, each=EACH, seconds=web.SECONDS):
        self._recorder, self._hashes, self._lock = recorder, hashes, threading.Lock()
        self._seed, self._seconds = seed, seconds
        self._count, self._stop = 0, threading.Event()
        self._threads = [threading.Thread(target=self._work, args=(number,), daemon=True) for number in range(workers)]
        self.browsers = [[web.Client() for _ in range(each)] for _ in range(workers)]
        for thread in self._threads:
            thread.start()

    def _next(self):
        with self._lock:
            self._count += 1
            return self._count

    def _work(self, number):
        chance = random.Random(self._seed * 100 + number)
        while not self._stop.is_set():
            browser = chance.choice(self.browsers[number])
            if chance.random() < 0.2:
                self._fetch(browser, chance.choice(sorted(self._hashes)))
            else:
                self._ask(browser)
            time.sleep(chance.uniform(0.02, 0.1))

    def _ask(self, browser):
        op = {"op": self._next(), "sid": browser.sid, "start": time.monotonic()}
        try:
            response = browser.get(bed.unique(), seconds=self._seconds)
            op["member"], op["new"] = response.member, response.cookie()
        except (OSError, ValueError) as error:
            op["error"] = f"{type(error).__name__}: {error}"
        self._recorder.note(**op, end=time.monotonic())

    def _fetch(self, browser, name):
        """A body that says nothing of who sent it: only its bytes count."""
        op = {"op": self._next(), "sid": None, "start": time.monotonic(), "sent": self._hashes[name]}
        try:
            op["got"] = hashlib.sha256(browser.get(f"/big/{name}", seconds=self._seconds).body).hexdigest()
        except (OSError, ValueError) as error:
            op["error"] = f"{type(error).__name__}: {error}"
        self._recorder.note(**op, end=time.monotonic())

    def sids(self):
        """The ids that browsers hold."""
        return [browser.sid for row in self.browsers for browser in row if browser.sid]

    def stop(self):
        """No more requests; those on their way come to an end."""
        self._stop.set()
        for thread in self._threads:
            thread.join(3 * self._seconds)
        tap.true(not any(thread.is_alive() for thread in self._threads), "every request came to an end")


@contextlib.contextmanager
def fault(recorder, word, *members):
    """Records what the body does to members."""
    start = time.monotonic()
    yield
    recorder.note(fault=word, members=list(members), start=start, end=time.monotonic())


def until_up(members):
    """Waits until all see each other up."""
    def probe():
        seen = {ns: {row["name"]: row["state"] for row in cli.show("members", ns=ns)} for ns in members}
        return all(set(row.values()) == {"up"} for row in seen.values()) or wait.Explained(f"{seen}")
    wait.until("all see each other up", probe, seconds=40)


def kill(context, victim):
    """Power off, and on again after the others have noticed."""
    with fault(context.recorder, "kill", victim):
        farm.kill(victim)
        time.sleep(3)
        farm.start(victim)
        until_up(context.members)


def cut(context, victim):
    """Off the farm's network, not off the clients'."""
    with fault(context.recorder, "cut", *context.members):
        farm.connect(victim, False)
        time.sleep(3)
        farm.connect(victim, True)
        until_up(context.members)


def silent(context, victim):
    """What the victim says on the farm's network is lost; it hears the others."""
    with fault(context.recorder, "silent", *context.members):
        with netem.on((victim, "farm0", "loss 100%")):
            time.sleep(3)
        until_up(context.members)


def one_way(context, victim):
    """The victim does not hear one of the others. No fault to the history: no session may move for it, none fail."""
    peer = context.chance.choice([name for name in context.members if name != victim])
    family = "ip6" if ":" in layout.farm_address(peer) else "ip"
    rules = (f"table inet nemesis {{ chain input {{ type filter hook input priority 0;"
             f" {family} saddr {layout.farm_address(peer)} drop; }}; }}")
    shell.run("nft", "-f", "-", stdin=rules, ns=victim)
    time.sleep(3)
    shell.run("nft", "delete", "table", "inet", "nemesis", ns=victim)
    until_up(context.members)


def lossy(context, victim):
    """Every fifth message from and to the victim is lost, others come twice and late."""
    with netem.on((victim, "farm0", "delay 2ms 2ms loss 20% duplicate 10%")), fault(context.recorder, "lossy", victim):
        time.sleep(3)


def drain(context, victim):
    """Its sessions move away; then it is back."""
    with fault(context.recorder, "drain", victim):
        cli.homing("member", "drain", victim, "--mode", "move", ns=context.chance.choice(context.members))
        time.sleep(2)
        cli.homing("member", "up", victim, ns=context.chance.choice(context.members))
        until_up(context.members)


def orders(context, victim):
    """Some sessions are moved to the victim, one is ended."""
    sids = context.chance.sample(context.clients.sids(), 4)
    for sid, verb in zip(sids, ("move", "move", "move", "end")):
        start = time.monotonic()
        words = (victim,) if verb == "move" else ()
        done = cli.homing("session", verb, sid, *words, ns=context.chance.choice(context.members), check=False)
        # One that nobody has confirmed may be forgotten by the member that was asked.
        if done.returncode == 0:
            known = {"moved": sid, "to": victim} if verb == "move" else {"ended": sid}
            context.recorder.note(**known, start=start, end=time.monotonic())
    time.sleep(0.5)


def roll(context, _victim):
    """Another key for all, one member after the other. No fault to the history: no session may move for it, none fail."""
    number = config.roll_key(context.chance.sample(context.members, len(context.members)))
    for member in context.members:
        roles = {row["id"]: row["role"] for row in cli.read("key", "list", ns=member)}
        tap.equal([key for key, role in roles.items() if role == "send"], [number], f"the key that {member} sends with")


EVENTS = (kill, cut, silent, one_way, lossy, drain, orders, roll)


class Nemesis:
    """Four members, clients at work, and events in an order that `seed` chooses."""

    def __init__(self, file, seed):
        self.bed = bed.Bed(4)
        self.members, self.chance = self.bed.members, random.Random(seed)
        sizes = {"small": 3000, "large": 200_000}
        hashes = {name: hashlib.sha256(bed.big_file(name, size)).hexdigest() for name, size in sizes.items()}
        self.recorder = history.Recorder(file)
        farm.entry("spread")
        self.clients = Clients(self.recorder, hashes, seed)
        time.sleep(2)

    def run(self, events):
        """Does the events, each to a member by chance; then writes down what the members have."""
        self.chance.shuffle(events)
        for event in events:
            victim = self.chance.choice(self.members)
            print(f"# {time.monotonic():.1f} {event.__name__} {victim}", flush=True)
            event(self, victim)
            time.sleep(history.SETTLE + 1)
        self.clients.stop()
        time.sleep(history.SETTLE + 1)
        for member in self.members:
            self.recorder.note(map=member, at=time.monotonic(), sessions=history.stored(cli.show("sessions", ns=member)))
        self.recorder.close()
