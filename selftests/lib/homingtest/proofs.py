# SPDX-License-Identifier: GPL-2.0
"""The eight behaviours that make the farm what it is, each proven on a running farm with its evidence.

`selftests/demo` shows them to a person, the test `claim` runs them as a test, the test
`claim_without` switches mechanisms off and sees that proofs fail.
"""

import base64
import socket

from . import bed, capture, cli, config, farm, layout, logs, netns, rawtcp, ssinfo, state, tap, wait, web


class Stage:
    """Where proofs happen: a farm, a voice for evidence, and a line for each request."""

    def __init__(self, context, say=lambda line: None):
        self.bed, self.say, self.members = context, say, context.members
        self._names = 0

    def client(self):
        """A new client with a name."""
        self._names += 1
        client = web.Client()
        client.name = f"c{self._names}"
        return client

    def ask(self, client, entry, port=layout.PORT, connection=None):
        """One request through `entry`, told in one line; checks that exactly one log has it."""
        farm.entry(entry)
        path = bed.unique(f"/{client.name}")
        response = client.get(path, port=port, connection=connection)
        line = logs.exactly_one(state_living(), path)
        how = "local      " if line.member == entry else "handed over"
        new = "new sid" if response.cookie() else "sid    "
        entry = entry if entry != "spread" else "any"
        self.say(f"  client {client.name:4} in at {entry:3}  answered by {line.member} {how if entry != 'any' else '':11} "
                 f"{new} {(client.sid or '-')[:8]:8}  said {response.body.decode('ascii', 'replace').strip()}")
        tap.equal(response.status, 200, "status")
        tap.equal(response.member, line.member, "the member that answered, by body and by log")
        return response

    def settled(self, entry, home):
        """A client with a session whose home is `home`, begun through `entry`."""
        for attempt in range(7):
            if attempt == 6:
                self.say(f"  (selection would go on; {entry} is told that {home} alone takes sessions)")
                bed.steer(entry, home, self.members)
            client = self.client()
            try:
                response = self.ask(client, entry)
            finally:
                if attempt == 6:
                    bed.thaw(entry, self.members)
            tap.true(client.sid, "Set-Cookie in the first response")
            if response.member == home:
                return client
        raise tap.Failure(f"a first request through {entry}, which may only choose {home}, went to {response.member}")


def state_living():
    """Names of the members that are powered on."""
    return state.alive(state.load())


def members_know_each_other(stage):
    """Every member stores the state of itself and of every other member in kernel memory."""
    for member in stage.members:
        rows = cli.show("members", ns=member)
        stage.say(f"  {member} stores: " + "  ".join(
            f"{row['name']} {row['state']} {row['sessions']} sessions" for row in rows))
        tap.equal({row["name"]: row["state"] for row in rows}, {name: "up" for name in stage.members},
                  f"members as {member} knows them")
    before = {row["name"]: row["sessions"] for row in cli.show("members", ns=stage.members[0])}
    first, last = stage.members[0], stage.members[-1]
    for _ in range(2):
        stage.settled(first, last)
    wait.until("the new sessions are in the state that others store", lambda: {
        row["name"]: row["sessions"] for row in cli.show("members", ns=first)}[last] >= before[last] + 2, seconds=5)
    stage.say(f"  {first} heard of {last}'s two new sessions")


def request_selects_from_the_table(stage):
    """A handshake creates nothing; the first request selects the home, out of the stored state alone."""
    entry, one, other = stage.members[0], stage.members[1], stage.members[2]
    farm.entry(entry)
    holds = {member: (len(cli.show("flows", ns=member)), len(cli.show("sessions", ns=member)))
             for member in stage.members}
    with web.Connection() as connection:
        wait.time.sleep(0.3)
        tap.equal({member: (len(cli.show("flows", ns=member)), len(cli.show("sessions", ns=member)))
                   for member in stage.members}, holds, "flows and sessions of each member after a handshake")
        tap.equal([member for member in stage.members if ssinfo.of_client(member, connection.port)], [],
                  "members with a socket after a handshake")
        stage.say("  handshake done: no member has a flow, a session or a socket for it")
        tap.equal(connection.exchange(bed.unique()).status, 200, "status of the first request")
    cli.homing("debug", "freeze", ns=entry)
    try:
        for target in (one, other):
            for member in stage.members:
                word = "up" if member == target else "draining"
                cli.homing("debug", "state", member, f"state={word}", "sessions=0", ns=entry)
            stage.say(f"  {entry}'s table, frozen, has {target} as the only one for new sessions:")
            for _ in range(2):
                tap.equal(stage.ask(stage.client(), entry).member, target, "member selected out of this table")
        opened = [web.Connection() for _ in range(30)]
        for connection in opened:
            connection.send(web.request(bed.unique()))
        stage.say(f"  thirty connections now load {other}; the table is the same, and so is the choice:")
        tap.equal(stage.ask(stage.client(), entry).member, other, "member selected under load")
        for connection in opened:
            connection.close()
    finally:
        bed.thaw(entry, stage.members)
    config_settles(stage)


def config_settles(stage):
    """Waits until thawed tables show the truth again."""
    config.wait_up(list(stage.members), seconds=15)


def association_is_sent_first(stage):
    """The association is stored at the entry member and sent to every other one, before the answer leaves."""
    entry = stage.members[0]
    farm.entry(entry)
    client = stage.client()
    with capture.Capture("fabric", entry, f"udp port {layout.FARM_PORT}") as tunnel, \
            capture.Capture("client", "eth0", "tcp src port 80") as answers:
        home = stage.ask(client, entry).member
    tap.true(client.sid, "Set-Cookie in the first response")
    key = base64.urlsafe_b64decode(client.sid)[:16]  # the table's key is the sid's first block
    answered = min(when for when, frame in answers.timed_frames()
                   if client.sid.encode() in rawtcp.Segment(frame[14:]).payload)
    for member in stage.bed.others(entry):
        times = [when for when, frame in tunnel.timed_frames()
                 if key in frame and capture.outer(frame)[1] == layout.farm_address(member)]
        tap.true(times, f"a packet with the association to {member}")
        tap.true(min(times) <= answered, f"sent to {member} at {min(times)}, answered at {answered}")
        stage.say(f"  {entry} -> {member}: association sent {(answered - min(times)) * 1e3:.2f} ms before the answer")
    for member in stage.members:
        row = stage.bed.session(client.sid, member)
        tap.true(row, f"association at {member}")
        tap.equal(row["home"], home, f"home as {member} has it")
        stage.say(f"  {member} stores: {client.sid[:8]}.. -> {row['home']} version {row['version']} {row['state']}")


def response_carries_the_sid(stage):
    """The response has its headers and its data, and the sid, which the application knows nothing of."""
    entry = stage.members[0]
    farm.entry(entry)
    with web.Connection() as connection:
        response = connection.exchange(bed.unique())
    home = response.member
    with netns.inside(home):
        plain = socket.create_connection((layout.VIP, layout.PORT), 5)
    plain.sendall(web.request("/"))
    own = plain.recv(65536).split(b"\r\n\r\n")[0].split(b"\r\n")
    plain.close()
    names = [line.split(b":")[0].decode() for line in own[1:]]
    stage.say(f"  {home}'s server by itself sends: {own[0].decode()}, {', '.join(names)}")
    stage.say(f"  the client received: {response.raw_head.decode().splitlines()[1]}")
    tap.true(b"Set-Cookie" not in b"".join(own), "the application sets no cookie")
    tap.true(response.cookie(), "Set-Cookie in what the client received")
    tap.equal(sorted(set(names) - {name for name, _ in response.headers}), [], "headers of the application that are missing")
    tap.equal(response.body, f"{home}\n".encode(), "data")


def later_requests_come_home(stage):
    """A later request with the sid, through any member, is answered by the home, and by one application only."""
    entry = stage.members[0]
    for home in stage.members[:2]:
        client = stage.settled(entry, home)
        for through in stage.members:
            response = stage.ask(client, through)
            tap.equal((response.member, response.cookie()), (home, None), f"answer through {through}")


def table_and_sid_decide(stage):
    """Moved, a session follows; ended, its sid routes nowhere; load moves nothing."""
    first, second, third = stage.members[:3]
    client = stage.settled(first, second)
    for member in stage.members:
        cli.homing("debug", "freeze", ns=member)
        cli.homing("debug", "state", second, "sessions=1000000", ns=member)
    try:
        stage.say(f"  every member believes {second} to be overloaded:")
        for through in stage.members:
            tap.equal(stage.ask(client, through).member, second, "home under load")
    finally:
        for member in stage.members:
            bed.thaw(member, stage.members)
    config_settles(stage)
    cli.homing("session", "move", client.sid, third, ns=first)
    stage.bed.everywhere(client.sid, third)
    stage.say(f"  homing session move {client.sid[:8]}.. {third}")
    for through in stage.members:
        tap.equal(stage.ask(client, through).member, third, f"home after the move, through {through}")
    cli.homing("session", "end", client.sid, ns=first)
    wait.until("the end is known everywhere", lambda: all(
        (stage.bed.session(client.sid, member) or {}).get("state") == "ended" for member in stage.members), seconds=5)
    stage.say(f"  homing session end {client.sid[:8]}..")
    old = client.sid
    tap.true(stage.ask(client, second).cookie(), "a new sid after the end")
    tap.true(client.sid != old, "another sid after the end")


def one_session_many_connections(stage):
    """Several connections at once on several services of a group are one session; others do not mix in."""
    for member in stage.members:
        cli.homing("service", "add", cli.service(layout.SECOND_PORT), ns=member)
    try:
        clients = [(stage.settled(stage.members[0], home), home) for home in stage.members[:2]]
        farm.entry("spread")
        opened = [(client, home, web.Connection(port)) for port in (80, layout.SECOND_PORT) * 3
                  for client, home in clients]
        for client, _, connection in opened:
            connection.send(web.request(bed.unique(), cookies=client.cookies))
        for client, home, connection in opened:
            response = connection.receive()
            tap.equal((response.member, response.cookie()), (home, None), f"answer to {client.name}")
            connection.close()
        stage.say("  twelve connections at once, six of each client, on :80 and :8080, through all members:")
        for client, home in clients:
            stage.say(f"  all six of {client.name} were answered by {home}")
    finally:
        for member in stage.members:
            cli.homing("service", "del", cli.service(layout.SECOND_PORT), ns=member, check=False)


def nobody_is_needed(stage):
    """There is no central balancer: any one member may stop."""
    for member in stage.members:
        others = stage.bed.others(member)
        keeper = stage.settled(others[0], others[1])
        farm.kill(member)
        try:
            for other in others:
                wait.until(f"{other} calls {member} down", lambda: {
                    row["name"]: row["state"] for row in cli.show("members", ns=other)}[member] == "down", seconds=10)
            stage.say(f"  {member} is off:")
            tap.equal(stage.ask(keeper, others[0]).member, others[1], "an old session")
            tap.true(stage.ask(stage.client(), others[0]).member in others, "a new client")
        finally:
            farm.start(member)


ALL = (members_know_each_other, request_selects_from_the_table, association_is_sent_first, response_carries_the_sid,
       later_requests_come_home, table_and_sid_decide, one_session_many_connections, nobody_is_needed)

# What can be switched off, and how; the proofs that cannot hold then.
MECHANISMS = {
    "attach": "no device is attached, so no packet is looked at",
    "push": "members do not send their associations to each other",
    "insert": "no sid is put into responses",
    "network": "one member is cut off from the farm network",
    "table": "the stored state is frozen, with one member down in it",
}


def without(mechanism, context):
    """Switches one mechanism off on a farm that is up."""
    if mechanism not in MECHANISMS:
        raise ValueError(f"no such mechanism {mechanism}; there are {' '.join(MECHANISMS)}")
    for member in context.members:
        if mechanism == "attach":
            cli.homing("detach", "eth0", "--force", ns=member)
        elif mechanism == "push":
            cli.homing("debug", "push", "off", ns=member)
        elif mechanism == "insert":
            cli.homing("service", "add", cli.service(), "--no-insert", ns=member)
        elif mechanism == "table":
            cli.homing("debug", "freeze", ns=member)
            cli.homing("debug", "state", context.members[-1], "state=down", ns=member)
    if mechanism == "network":
        farm.connect(context.members[-1], False)


def show(stage, number, proof):
    """Runs one proof; returns None, or why it failed."""
    stage.say(f"\n{number}. {proof.__doc__}")
    try:
        proof(stage)
    except Exception as error:  # a proof that cannot be carried through is no proof
        stage.say(f"  NOT SHOWN: {error}")
        return str(error) or type(error).__name__
    return None
