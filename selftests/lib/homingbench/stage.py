# SPDX-License-Identifier: GPL-2.0
"""In the guest: the farm with its servers, a measured run, and the record of it.

Members m1 to m3 are the farm. m4 is where another balancer works; m5 is the server behind it, and the
server of the plain case. m4 and m5 know nothing of the module. One program, `load`, is client and server.
"""

import contextlib
import json
import os
import subprocess
import time

from homingtest import capture, cli, farm, layout, netns, shell, tap, topology, wait, web

LOAD = f"{layout.ROOT}/build/bench/bin/load"
OUT = os.environ.get("HOMING_BENCH_OUT", "/out")
FARM = ("m1", "m2", "m3")
BALANCER, BACKEND = "m4", "m5"
WARM = 200
SETTLE = 3.0  # seconds of the guest's time, which are free: sockets close, timers run out

# What a browser sends: about 700 bytes with a session id.
_HEAD = """\
GET {path} HTTP/1.1
Host: www.example.org
Connection: keep-alive
Cache-Control: max-age=0
Upgrade-Insecure-Requests: 1
User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36
Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8
Referer: https://www.example.org/articles/2026/11/a-page-before-this-one
Accept-Encoding: gzip, deflate, br
Accept-Language: en-GB,en;q=0.9,de;q=0.8
Cookie: theme=dark; consent=necessary; {cookie}last=a-page-before-this-one
"""


def request(cookie=None, path="/", body=0):
    """A browser's request, with `cookie` ("name=value") among its cookies."""
    head = _HEAD.format(path=path, cookie=f"{cookie}; " if cookie else "")
    if body:
        head = head.replace("GET", "POST", 1) + f"Content-Length: {body}\n"
    return (head + "\n").replace("\n", "\r\n").encode() + b"y" * body


def stats(member):
    """The counters of a member, or with "farm" those of all in sum."""
    each = [cli.stats(one) for one in (FARM if member == "farm" else (member,))]
    return {name: sum(one.get(name, 0) for one in each) for name in each[0]}


class Stage:
    """The farm, once for all cases of a boot."""

    def __init__(self, kind, scale=None):
        self.kind = kind  # "homing", or "bare" without the module
        self.homing = kind == "homing"
        self._segments = 0
        self._file = open(f"{OUT}/results", "w", encoding="ascii")
        farm.up(3, self.homing, "none", scale=scale)
        for name in (BALANCER, BACKEND):
            topology.add_member(name)
        for name in (*FARM, BACKEND):
            any4 = ["0.0.0.0", "80"] if name == BACKEND else [layout.VIP4, "80"]
            self.start(name, LOAD, "serve", *any4, layout.VIP6, "80")
        self.entry("m1")
        if self.homing:
            self._listeners()
        # What the boot has left behind is done by then.
        time.sleep(30)

    def _listeners(self):
        """Waits until each member has heard that the others listen."""
        def probe():
            for number in range(6):
                if self.exchange(request())[0] != 200:
                    return wait.Explained(f"request {number}")
            return True
        wait.until("the farm answers", probe, seconds=20)

    def start(self, ns, *command):
        """Starts a program that says `ready` in namespace `ns`."""
        with netns.inside(ns):
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        if process.stdout.readline() != "ready\n":
            raise RuntimeError(f"{ns}: {' '.join(command)} did not start")
        return process

    def entry(self, name):
        """Sends the packets for the VIPs to one member."""
        topology.route([name])

    def steer(self, home):
        """New sessions begin at `home` alone, until `thaw`."""
        cli.homing("debug", "freeze", ns="m1")
        for member in FARM:
            cli.homing("debug", "state", member, "state=up" if member == home else "state=draining", ns="m1")

    def thaw(self):
        """Back to what m1 hears of the others."""
        for member in FARM:
            cli.homing("debug", "state", member, "clear", ns="m1")
        cli.homing("debug", "thaw", ns="m1")

    @contextlib.contextmanager
    def steered(self, home):
        """The body selects `home`; nothing happens without the module."""
        if not self.homing:
            yield
            return
        self.steer(home)
        try:
            yield
        finally:
            self.thaw()

    def exchange(self, data, connection=None):
        """(status, raw head, body) of one request."""
        with contextlib.ExitStack() as stack:
            if connection is None:
                connection = stack.enter_context(web.Connection())
            connection.send(data)
            response = connection.receive()
            return response.status, response.raw_head, response.body

    def sid(self, home):
        """The id of a new session at `home`, confirmed and known to all."""
        with self.steered(home):
            _, head, _ = self.exchange(request())
        lines = [line for line in head.decode().split("\r\n") if line.startswith("Set-Cookie: homing=")]
        tap.equal(len(lines), 1, f"Set-Cookie lines in {head!r}")
        sid = lines[0].split("=", 1)[1].split(";")[0]
        self.exchange(request(f"homing={sid}"))
        time.sleep(0.5)
        return sid

    @contextlib.contextmanager
    def mute(self, ns="router", device="m1"):
        """What arrives at `device` is dropped there at once: answers end, and cost no more than this."""
        shell.run("tc", "qdisc", "add", "dev", device, "clsact", ns=ns)
        shell.run("tc", "filter", "add", "dev", device, "ingress", "matchall", "action", "drop", ns=ns)
        try:
            yield
        finally:
            shell.run("tc", "qdisc", "del", "dev", device, "clsact", ns=ns)

    def run(self, name, group, expect, ns, n, warm, *words):
        """A measured run; `expect`: {member: {counter: times a unit}}, checked over all units; "farm": all members' sum."""
        time.sleep(SETTLE)
        before = {member: stats(member) for member in expect} if self.homing else {}
        done = shell.run(LOAD, *words, ns=ns, timeout=3600, check=False)
        # A run that failed may have left a segment, and the numbers of all later ones would be wrong.
        if done.returncode != 0:
            raise RuntimeError(f"{name}: {done.stdout} {done.stderr}")
        self._segments += 1
        told = done.stdout.split()
        moved = {}
        for member, old in before.items():
            moved[member] = cli.changed(old, stats(member))
            for counter, times in expect[member].items():
                tap.equal(moved[member].get(counter, 0), round(times * (n + warm)),
                          f"{name}: {counter} of {member} over {n + warm} units")
        self.record(name=name, group=group, n=n, ns=int(told[3]), segment=self._segments, moved=moved,
                    idle=words[0] == "idle")

    def record(self, **what):
        """Writes down one result."""
        print(json.dumps(what), file=self._file, flush=True)
        print(f"  {what['name']}: {what.get('ns', 0) / what['n']:.1f}" if "ns" in what else f"  {what}", flush=True)

    def http(self, name, group, data, keep=False, n=500, warm=WARM, length=2, expect=None, six=False):
        """Runs the client with request `data`."""
        path = "/tmp/bench-request"
        with open(path, "wb") as file:
            file.write(data)
        self.run(name, group, expect or {}, "client", n, warm, "http", layout.VIP6 if six else layout.VIP4, "80", n,
                 warm, "keep" if keep else "each", path, length)

    def frames(self, name, group, found, n=2000, warm=500, expect=None, ns="router", device="m1"):
        """Sends frames to m1."""
        from . import frames
        frames.write("/tmp/bench-frames", found)
        self.run(name, group, expect or {}, ns, n, warm, "frames", device, n, warm, "/tmp/bench-frames")

    def messages(self, name, group, found, n=2000, warm=200, ns="m1", expect=None):
        """Sends generic netlink messages in a namespace, and reads their answers."""
        from . import frames
        frames.write("/tmp/bench-messages", found)
        self.run(name, group, expect or {}, ns, n, warm, "netlink", n, warm, "/tmp/bench-messages")

    def last_ack(self, data, where="m1", device="eth0", six=False):
        """(open connection, the client's last bare ACK as it arrived at `where`) after two requests."""
        with capture.Capture(where, device, f"tcp and src host {layout.CLIENT6 if six else layout.CLIENT4}") as seen:
            connection = web.Connection(six=six)
            for _ in range(2):
                self.exchange(data, connection)
                time.sleep(0.3)
        frame = seen.frames()[-1]
        head = 40 if six else (frame[14] & 15) * 4
        whole = 40 + int.from_bytes(frame[18:20], "big") if six else int.from_bytes(frame[16:18], "big")
        tap.equal(whole - head - (frame[14 + head + 12] >> 4) * 4, 0, "payload of the client's last segment")
        return connection, frame[:14 + whole]
