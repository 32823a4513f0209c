# SPDX-License-Identifier: GPL-2.0
"""What is measured. Each case looks at what its units do to a packet or a response before they are timed.

The same name in the boot with the module and in the one without is the same traffic. Frames are sent from the
router to m1, answers to them are dropped when they are back at the router; HTTP runs end to end.
"""

import contextlib
import json
import random
import re
import time

from homingtest import capture, cli, genl, layout, netns, rawip, rawtcp, shell, spec, tap

from . import frames, peers
from .stage import BACKEND, BALANCER, FARM, WARM, request

ALL = []  # (name, kinds, whether every seed has a say, function)
MEGABYTE = 1 << 20
HOMING, BARE = "homing", "bare"


def case(name, *kinds, each=True):
    """Declares a case for boots of these kinds; not `each`: it takes long, and one seed is enough."""
    def add(function):
        ALL.append((name, kinds, each, function))
        return function
    return add


def arrives(stage, data, ethertype):
    """The frame reaches m1's stack as it was sent."""
    with capture.Capture("m1", "eth0", f"ether proto {ethertype}") as seen:
        put(data)
    tap.true(data in [frame[:len(data)] for frame in seen.frames()], "the frame arrived unchanged")


@case("state", HOMING, BARE)
def states(stage):
    """A state message from one member to another: a farm at rest that has stored nothing."""
    before = {member: cli.stats(member) for member in FARM} if stage.homing else {}
    # Ten a second from each member to each of the two others.
    stage.run("state-message", "between members", {}, "client", 20 * 60, 0, "idle", 20)
    if stage.homing:
        moved = [cli.changed(old, cli.stats(member)) for member, old in before.items()]
        # And what passed while nothing was counted.
        tap.within(sum(counters["state_sent"] for counters in moved), 1100, 1900, "state messages in 20 s and a little")


@case("bystander", HOMING, BARE)
def bystander(stage):
    """Packets that are none of ours: the first checks, and no more."""
    group = "early exits"
    neighbours()
    sink = netns_socket()
    ack = (30000, 81)
    cases = {
        "pass-non-ip": (frames.frame(b"homing" * 10, ethertype=0x88b5), 0x88b5),
        "pass-udp": (frames.udp(b"x" * 32, 4001), 0x0800),
        "pass-v6-udp": (frames.udp(b"x" * 32, 4001, six=True), 0x86dd),
        "pass-not-our-port": (frames.segment(False, ack, 5, 6, rawip.ACK), 0x0800),
        "pass-fragment": (frames.frame(rawip.packet(False, b"x" * 64, frames.UDP, ident=7, fragment=8)), 0x0800),
        "pass-ip-options": (frames.udp(b"x" * 32, 4001, options=b"\1\1\1\0"), 0x0800),
        # Destination options, of padding alone, before UDP.
        "pass-v6-exthdr": (frames.frame(rawip.packet(True, bytes([frames.UDP, 0, 1, 4, 0, 0, 0, 0]) + frames.udp(
            b"x" * 32, 4001, six=True)[54:], 60), True), 0x86dd),
        "pass-v6-fragment": (frames.frame(rawip.packet(True, bytes([frames.UDP, 0, 0, 8, 0, 0, 0, 7]) + b"x" * 64, 44),
                                          True), 0x86dd),
    }
    with stage.mute():
        for name, (data, ethertype) in cases.items():
            arrives(stage, data, ethertype)
            # In groups: some of these packets fill a buffer, which drops the same way each time.
            stage.frames(name, group, [data], expect={"m1": {"relayed": 0, "syn": 0}})
    sink.close()
    with stage.mute("m1", "eth0"):
        stage.frames("drop-line", "reference", [cases["pass-udp"][0]])


def netns_socket():
    """A UDP socket at m1 that is never read: it takes what fits, then drops."""
    import socket
    with netns.inside("m1"):
        sink = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        sink.bind(("::", 4001))
    return sink


@case("syn", HOMING, BARE)
def syn(stage):
    """SYNs answered with a cookie; without the module by the kernel's own (tcp_syncookies=2)."""
    group = "handshake"
    if not stage.homing:
        with netns.inside("m1"):
            netns.write_sysctl({"ipv4.tcp_syncookies": 2})
        neighbours()
    kinds = {"syn-cookie-v4": {"options": frames.ALL_OPTIONS}, "syn-cookie-v6": {"six": True, "options": frames.ALL_OPTIONS},
             "syn-no-options": {}, "syn-bad": {"options": frames.ALL_OPTIONS, "bad": True}}
    for name, how in kinds.items():
        found = frames.syns(**how)
        answers = [] if name == "syn-bad" else synacks(stage, found[:3], how.get("six", False))
        for answer in answers:
            tap.equal(answer[47] if not how.get("six") else answer[67], rawip.SYN | rawip.ACK, f"{name}: flags")
        tap.equal(len(answers), 0 if name == "syn-bad" else 3, f"{name}: answers")
        counter = {"drop_checksum": 1, "syn_answered": 0} if name == "syn-bad" else {"syn_answered": 1}
        with stage.mute():
            stage.frames(name, group, found, expect={"m1": counter})


def neighbours():
    """The kernel's own answers need the router's link addresses: asked for while answers still come back, and kept."""
    import socket
    with netns.inside("m1"):
        for family, address in ((socket.AF_INET, "10.1.1.1"), (socket.AF_INET6, "fd01:1::1")):
            with socket.socket(family, socket.SOCK_DGRAM) as out:
                out.sendto(b"", (address, 9))
    time.sleep(1)
    for row in json.loads(shell.run("ip", "-j", "neigh", "show", "dev", "eth0", ns="m1").stdout):
        if "lladdr" in row:
            shell.run("ip", "neigh", "replace", row["dst"], "lladdr", row["lladdr"], "dev", "eth0", "nud", "permanent",
                      ns="m1")


def synacks(stage, found, six):
    """The frames that come back for these; each with right checksums."""
    import socket
    with stage.mute(), capture.Capture("m1", "eth0", f"tcp and src host {layout.VIP6 if six else layout.VIP4}") as seen:
        with netns.inside("router"), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
            raw.bind(("m1", 0))
            for data in found:
                raw.send(data)
        time.sleep(0.2)
    answers = seen.frames()
    # The kernel leaves that to the device: what is captured of its own answers is not complete.
    for answer in answers if stage.homing and not six else []:
        frames.verify_checksums(answer[14:])
    return answers


@case("ack", HOMING)
def ack(stage):
    """The ACK of a handshake, genuine and not: nothing is stored."""
    import socket
    source = 40000
    first = frames.segment(False, (source, 80), 100, 0, rawip.SYN, options=frames.ALL_OPTIONS)
    answer = synacks(stage, [first], False)[0]
    cookie, stamp = int.from_bytes(answer[38:42], "big"), rawtcp.Segment(answer[14:]).options[8][:4]
    options = b"\1\1\x08\x0a\0\1\xe2\x40" + stamp
    genuine = frames.segment(False, (source, 80), 101, cookie + 1, rawip.ACK, options=options)
    false = frames.segment(False, (source, 80), 101, cookie + 77, rawip.ACK, options=options)
    with stage.mute():
        stage.frames("ack-valid", "handshake", [genuine], expect={"m1": {"cookie_ok": 1, "ack_bare": 1}})
        stage.frames("ack-invalid", "handshake", [false], expect={"m1": {"cookie_bad": 1}})


@case("packet", HOMING, BARE)
def packet(stage):
    """One bare ACK of a connection that is there, again and again: on its way up, relayed, unshifted; and with an answer."""
    group = "packet"
    if not stage.homing:
        connection, data = stage.last_ack(request())
        with stage.mute():
            stage.frames("packet-local", group, [data])
            stage.frames("answer-local", group, [old_byte(data)])
        connection.close()
        return
    for name, home, fresh, six, expect in (
            ("packet-local", "m1", False, False, {"m1": {"pass_local": 1, "relayed": 0}}),
            ("packet-shifted", "m1", True, False, {"m1": {"pass_local": 1, "unshifted": 1}}),
            ("relay-v4", "m2", False, False, {"m1": {"relayed": 1}, "m2": {"tunnel_data": 1}}),
            ("relay-v6", "m2", False, True, {"m1": {"relayed": 1}, "m2": {"tunnel_data": 1}})):
        sid = None if fresh else stage.sid(home)
        with stage.steered(home):
            connection, data = stage.last_ack(request(sid and f"homing={sid}"), six=six)
        with stage.mute("router", home):
            stage.frames(name, group, [data], expect=expect)
        if home == "m1":
            # And with an answer of the stack, which goes out: what is more than above is the way out.
            with stage.mute():
                stage.frames(name.replace("packet", "answer"), group, [old_byte(data)], expect={
                    "m1": {**expect["m1"], "shifted": int(fresh)}})
        else:
            outer = relayed(data)
            # The fabric drops the relayed packets at its switch: what is left is the entry member's.
            with stage.mute("fabric", "m1"):
                stage.frames(f"{name}-entry", group, [data], expect={"m1": {"relayed": 1}, "m2": {"tunnel_data": 0}})
            time.sleep(3)
            # And without the entry member: what was relayed is sent as it was.
            with stage.mute("router", home):
                stage.frames(f"{name}-decap", group, [outer], ns="m1", device="farm0", expect={"m2": {"tunnel_data": 1}})
            # Another client's port than the code is over.
            port = len(outer) - len(data[14:]) + (41 if six else 21)
            false = outer[:port] + bytes([outer[port] ^ 1]) + outer[port + 1:]
            stage.frames(f"{name}-decap-bad-mac", group, [false], ns="m1", device="farm0",
                         expect={"m2": {"tunnel_data": 0, "tunnel_forged": 1}})
            time.sleep(3)
        connection.close()


def old_byte(data):
    """Frame `data`, a bare ACK, as a repetition of the byte before: the stack answers with an ACK at once."""
    seen, addresses = rawtcp.Segment(data[14:]), data[26:34]
    at = 14 + seen.offset
    tcp = rawip.tcp(False, (seen.sport, seen.dport), seen.seq - 1, seen.ack, rawip.ACK, payload=b"\n",
                    options=data[at + 20:at + (data[at + 12] >> 4) * 4], window=seen.window, addresses=addresses)
    again = frames.frame(rawip.header4(addresses, len(tcp)) + tcp)
    with capture.Capture("router", "m1", f"tcp and src host {layout.VIP4}") as answers:
        put(again)
    found = [rawtcp.Segment(frame[14:]) for frame in answers.frames()]
    tap.equal([(one.dport, one.flags, one.seq, one.ack, one.payload) for one in found],
              [(seen.sport, rawip.ACK, seen.ack, seen.seq, b"")], "answers to a byte that comes again")
    return again


def put(data):
    """Sends a frame from the router to m1, and waits until what it causes has happened."""
    import socket
    with netns.inside("router"), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
        raw.bind(("m1", 0))
        raw.send(data)
    time.sleep(0.2)


def relayed(data):
    """The frame on the farm network that brings frame `data` of the client's to its owner: it ends with the same packet."""
    with capture.Capture("m2", "farm0", f"udp and src host {layout.farm4('m1')} and greater 100") as seen:
        put(data)
    found = [frame for frame in seen.frames() if frame.endswith(data[14:])]
    tap.equal(len(found), 1, f"frames that carry the client's packet unchanged, of {len(seen.frames())}")
    return found[0]


def answered(stage, data, inserted=False):
    """One exchange; its response is byte for byte the server's, with the cookie's lines or without."""
    status, head, body = stage.exchange(data)
    tap.equal((status, body), (200, b"ok"), "response")
    lines = rb"\r\nSet-Cookie: homing=[\w-]{32}; Path=/; HttpOnly; SameSite=Lax\r\nCache-Control: private" if inserted else b""
    tap.true(re.fullmatch(rb"HTTP/1.1 200 OK" + lines + rb"\r\nContent-Length: 2", head), f"head {head!r}")


@case("request", HOMING, BARE)
def requests(stage):
    """A connection with one request, and a request on a connection that is there."""
    conn, keep = "connection and request", "request, keep-alive"
    if not stage.homing:
        answered(stage, request())
        stage.http("conn", conn, request())
        stage.http("ka", keep, request(), keep=True)
        return
    for name, home, fresh in (("local", "m1", False), ("new-local", "m1", True),
                              ("other", "m2", False), ("new-other", "m2", True)):
        data = request() if fresh else request(f"homing={stage.sid(home)}")
        decided_here = {"decided_local" if home == "m1" else "decided_other": 1,
                        "session_new": int(fresh), "relay_failed": 0}
        with stage.steered(home):
            answered(stage, data, fresh)
            slabs = slab()
            # A SYN from a port whose last connection was another member's is answered there.
            stage.http(f"conn-{name}", conn, data, expect={"farm": {"syn_answered": 1}, "m1": decided_here, home: {
                **(decided_here if home == "m1" else {}), "spawned": 1, "inserted": int(fresh)}})
            if name == "new-local":
                memory(stage, slabs, 500 + WARM)
            stage.http(f"ka-{name}", keep, data, keep=True)
    forms(stage, conn)


def forms(stage, group):
    """Requests of other forms than a browser's usual one, to a home that is the entry member."""
    sid = stage.sid("m1")
    new = {"decided_local": 1, "session_new": 1, "inserted": 1, "spawned": 1}
    known = {"decided_local": 1, "session_new": 0, "sid_known": 1, "spawned": 1}
    long = "; ".join(f"part{number}={'x' * 990}" for number in range(8))
    with stage.steered("m1"):
        for name, cookie, expect in (
                ("conn-forged", "homing=" + sid[:-1] + ("A" if sid[-1] != "A" else "B"), {**new, "sid_forged": 1}),
                ("conn-malformed", "homing=" + "x" * 31, {**new, "sid_malformed": 1}),
                ("conn-8k-cookie", f"{long}; homing={sid}", known)):
            data = request(cookie)
            answered(stage, data, expect is not known)
            stage.http(name, group, data, expect={"m1": expect})
        # As 'new-local', with a program that listens to the module's events.
        with listening():
            stage.http("conn-new-local-event", group, request(), expect={"m1": {**new, "sid_absent": 1}})


@contextlib.contextmanager
def listening():
    """A listener to the events of m1's sessions and members, that reads them."""
    import subprocess
    with netns.inside("m1"):
        monitor = subprocess.Popen([cli.program(), "-j", "monitor"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        time.sleep(1)
        yield
    finally:
        monitor.terminate()
        monitor.wait()


def slab():
    """{cache: bytes in use}."""
    found = {}
    with open("/proc/slabinfo", encoding="ascii") as file:
        for line in file.read().splitlines()[2:]:
            words = line.split()
            found[words[0]] = int(words[1]) * int(words[3])
    return found


def memory(stage, before, units, name="memory", group="memory"):
    """What the slabs have gained for each connection with a new session: a session at three members, a flow."""
    after = slab()
    grown = {name: (after[name] - before.get(name, 0)) / units for name in after}
    stage.record(name=name, group=group, n=units,
                 grown={name: round(by, 1) for name, by in grown.items() if by > 8})


@case("transfer", HOMING, BARE)
def transfers(stage):
    """A megabyte down and up, on one connection."""
    down, up = "1 MB response", "1 MB upload"
    if not stage.homing:
        stage.http("down", down, request(path=f"/{MEGABYTE}"), keep=True, n=10, warm=4, length=MEGABYTE)
        stage.http("up", up, request(body=MEGABYTE), keep=True, n=10, warm=4)
        return
    for name, home, fresh in (("local", "m1", False), ("shifted", "m1", True), ("relayed", "m2", False)):
        cookie = None if fresh else f"homing={stage.sid(home)}"
        with stage.steered(home):
            stage.http(f"down-{name}", down, request(cookie, path=f"/{MEGABYTE}"), keep=True, n=10, warm=4,
                       length=MEGABYTE, expect={home: {}})
            stage.http(f"up-{name}", up, request(cookie, body=MEGABYTE), keep=True, n=10, warm=4, expect={home: {}})


@case("idle", HOMING, BARE)
def idle(stage):
    """Nothing to do: a second of state messages of three members, timers, the sweep."""
    before = {member: cli.stats(member) for member in FARM} if stage.homing else {}
    stage.run("second", "at rest", {}, "client", 20, 0, "idle", 20)
    if stage.homing:
        moved = [cli.changed(old, cli.stats(member)) for member, old in before.items()]
        tap.within(sum(counters["state_sent"] for counters in moved), 1100, 1900, "state messages in 20 s and a little")


def through(stage, name, has_packet=False, cookie=None):
    """The same runs through another balancer on m4."""
    stage.entry(BALANCER)
    try:
        answered_by_peer(stage, name)
        data = request(cookie)
        stage.http(f"conn-{name}", "connection and request", data)
        stage.http(f"ka-{name}", "request, keep-alive", data, keep=True)
        stage.http(f"down-{name}", "1 MB response", request(cookie, path=f"/{MEGABYTE}"), keep=True, n=10, warm=4,
                   length=MEGABYTE)
        stage.http(f"up-{name}", "1 MB upload", request(cookie, body=MEGABYTE), keep=True, n=10, warm=4)
        if has_packet:
            connection, ack_frame = stage.last_ack(data, BALANCER)
            with stage.mute("router", BACKEND):
                stage.frames(f"packet-{name}", "packet", [ack_frame], device=BALANCER)
            connection.close()
    finally:
        stage.entry("m1")


def answered_by_peer(stage, name):
    """The server behind the balancer answers, and the packets have the balancer's form."""
    whole = f"tcp and dst host {layout.VIP4}"
    form = {"ipvs-tun": "ip proto 4", "ipvs-dr": whole, "hop": whole}.get(
        name, f"tcp and dst host {layout.farm4(BACKEND)}")
    with capture.Capture(BACKEND, "farm0", form) as seen:
        status, _, body = stage.exchange(request())
        time.sleep(0.3)
    tap.equal((status, body), (200, b"ok"), f"response through {name}")
    tap.true(len(seen.frames()) >= 3, f"{name}: {len(seen.frames())} packets of its form")


@case("peers", HOMING)
def others(stage):
    """No balancer at all, and the others, in the same boot."""
    stage.entry(BACKEND)
    stage.http("conn-plain", "connection and request", request())
    stage.http("ka-plain", "request, keep-alive", request(), keep=True)
    stage.entry("m1")
    with peers.hop():
        through(stage, "hop", has_packet=True)
    for how in ("dr", "tun"):
        with peers.ipvs(how):
            through(stage, f"ipvs-{how}", has_packet=True)
    for name in ("haproxy", "nginx"):
        with contextlib.ExitStack() as stack:
            stack.enter_context(peers.proxy(name))
            through(stage, name, cookie="SRV=m5" if name == "haproxy" else None)


@case("association", HOMING)
def associations(stage):
    """An association that a program stores here; one that is changed here and told to two other members."""
    names, asker = genl.constants(), spec.Spec("m1")
    keys = [b"a key!\0\0" + number.to_bytes(8, "big") for number in range(2200)]
    stored = {"home": 1, "origin": 1, "version": 1, "state": 1, "group": 0}

    def messages(operation, **values):
        return [asker.socket.message(names[f"HOMING_CMD_SESSION_{operation}"], b"".join(
            asker.encode("session", name, value) for name, value in {"key": key, **values}.items()), genl.NLM_F_ACK)
                for key in keys]
    stage.messages("association-stored", "between members", messages("SET", **stored),
                   expect={"m1": {"push_sent": 0}, "m2": {"push_received": 0}})
    stage.messages("association-told", "between members", messages("MOVE", home=2),
                   expect={"m1": {"session_moved": 1, "push_sent": 2}, "m2": {"push_received": 1}, "m3": {"push_received": 1}})


@case("members", HOMING, each=False)
def members(stage):
    """What a member takes of memory, beside its message."""
    count, before = 40, slab()
    for number in range(count):
        cli.homing("member", "set", f"x{number}", "--id", 100 + number, "--addr", f"10.9.1.{number + 1}", "--state", "down",
                   ns="m1")
    time.sleep(2)
    memory(stage, before, count, "memory-member", "memory, of a member that is down")
    for number in range(count):
        cli.homing("member", "del", f"x{number}", ns="m1")


@case("lookup", HOMING, each=False)
def lookups(stage):
    """One session of many asked for by its key, each time another; the last case, since what it stores stays."""
    cli.homing("farm", "set", "--sessions-max", str(1 << 24), ns="m1")
    names = genl.constants()
    reader = genl.Socket("m1")
    for size, word in ((1000, "1k"), (100_000, "100k"), (10_000_000, "10M")):
        before, had = slab(), cli.read("show", "status", ns="m1")["sessions"]
        shell.run("homing", "debug", "fill", str(size), ns="m1", timeout=3000)
        stored = cli.read("show", "status", ns="m1")["sessions"]
        tap.true(stored >= size, f"{stored} sessions of {size}")
        memory(stage, before, stored - had, f"memory-{word}", f"memory, of each of {word} sessions")
        keys = [b"made up\0" + number.to_bytes(8, "big") for number in random.Random(size).sample(range(size), 1000)]
        found = [attributes for key in keys for _, attributes in
                 reader.ask(names["HOMING_CMD_SESSION_GET"], genl.attribute(names["HOMING_A_SESSION_KEY"], key))]
        tap.equal([one[names["HOMING_A_SESSION_KEY"]] for one in found], keys, "keys of the answers")
        # The table may still grow.
        time.sleep(60)
        stage.messages(f"lookup-{word}", "session asked for by netlink", [
            reader.message(names["HOMING_CMD_SESSION_GET"], genl.attribute(names["HOMING_A_SESSION_KEY"], key))
            for key in keys])
