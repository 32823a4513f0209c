# SPDX-License-Identifier: GPL-2.0
"""One of the separate machines of the test `machines`: a member, or the edge with client and router.

    machine.py member mK KEY            serves a member; obeys the edge until the machine is powered off
    machine.py again mK N               replaces the module of a member that was detached, and configures it anew
    machine.py edge N TEST              puts client and router up, waits for the members, runs TEST

All machines hang on two segments, each a hub: one for the clients' packets (10.1.0.0/24, fd01::/64), one for the
farm's (10.9.0.0/24). A segment's last byte is in the hardware address of its interface. Inside, the namespace that
the library knows a member or the router by is the machine's own.
"""

import glob
import json
import os
import socket
import socketserver
import subprocess
import sys

if __name__ == "__main__":
    sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), ".."))

from homingtest import config, layout, module, netns, servers, shell  # noqa: E402

EDGE = 100
CONTROL = 7000
FRONT, FARM = 1, 9


def hardware(segment, number):
    """The address of machine `number` on a segment, as QEMU is told it."""
    return f"52:54:00:00:{segment:02x}:{number:02x}"


def front4(member):
    """The address of a member on the clients' segment."""
    return f"10.1.0.{layout.number(member)}"


def front6(member):
    """The same in IPv6."""
    return f"fd01::{layout.number(member)}"


def ip(*words, ns=None):
    """Runs `ip WORDS`."""
    return shell.run("ip", *words, ns=ns)


def interfaces():
    """Loads the drivers and names each interface after its segment: eth0 for the clients', farm0 for the farm's."""
    shell.run("modprobe", "-a", "virtio_net", "e1000", "veth")
    for path in glob.glob("/sys/class/net/*/address"):
        name = path.split("/")[4]
        with open(path, encoding="ascii") as file:
            address = file.read().strip()
        for segment, wanted in ((FRONT, "eth0"), (FARM, "farm0")):
            if address.startswith(f"52:54:00:00:{segment:02x}:"):
                ip("link", "set", name, "name", f"new-{wanted}")
    for wanted in ("eth0", "farm0"):
        ip("link", "set", f"new-{wanted}", "name", wanted)
        ip("link", "set", wanted, "up")


def name_this(name):
    """Lets the library find the machine's own namespace by the name of its role."""
    ip("netns", "attach", name, str(os.getpid()))


class Obey(socketserver.StreamRequestHandler):
    """Runs what the edge says: a line of JSON {"run": [words], "env": {}} or {"start": [words]} each way."""

    def handle(self):
        order = json.loads(self.rfile.readline())
        if "start" in order:
            with subprocess.Popen(["sh", "-c", '"$@" & echo $!', "sh", *order["start"]], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, text=True) as process:
                answer = {"status": 0, "out": process.stdout.readline(), "err": ""}
        else:
            done = subprocess.run(order["run"], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
            answer = {"status": done.returncode, "out": done.stdout, "err": done.stderr}
        self.wfile.write(json.dumps(answer).encode() + b"\n")


class Server(socketserver.ThreadingTCPServer):
    """The ear of a member."""

    allow_reuse_address = True
    daemon_threads = True


def member(name, key, count):
    """Puts this machine up as a member, then obeys."""
    interfaces()
    name_this(name)
    number = layout.number(name)
    netns.write_sysctl({"ipv4.conf.all.arp_ignore": 1, "ipv4.conf.all.arp_announce": 2})
    for address in (f"{layout.VIP4}/32", f"{layout.VIP6}/128"):
        ip("addr", "add", address, "dev", "lo")
    ip("addr", "add", f"{front4(name)}/24", "dev", "eth0")
    ip("addr", "add", f"{front6(name)}/64", "dev", "eth0", "nodad")
    ip("addr", "add", f"10.9.0.{10 + number}/24", "dev", "farm0")
    ip("route", "add", "default", "via", f"10.1.0.{EDGE}")
    ip("-6", "route", "add", "default", "via", f"fd01::{EDGE}")
    os.makedirs(layout.RUN, exist_ok=True)
    servers.start(name, "nginx")
    with open(f"{layout.big_folder()}/1M", "wb") as file:
        file.write(big())
    with open(config.KEY_FILE, "w", encoding="ascii") as file:
        file.write(key + "\n")
    os.chmod(config.KEY_FILE, 0o600)
    begin(name, count)
    with Server((f"10.9.0.{10 + number}", CONTROL), Obey) as server:
        server.serve_forever()


def begin(name, count):
    """Loads the module and configures it."""
    module.load()
    # A machine's time is its own, and it may stand still: silence takes ten times as long to mean something.
    config.configure(name, {"members": layout.members(count), "options": {"scale": 10, "policy": "p2c"}})


def again(name, count):
    """Replaces the module."""
    if reason := module.unload():
        sys.exit(f"the module stays loaded: {reason}")
    begin(name, count)


def big():
    """The bytes of /big/1M, the same on every machine."""
    return b"".join(number.to_bytes(4, "big") for number in range(1 << 18))


def edge():
    """Puts client and router up: the router is this machine, the client a namespace in it."""
    interfaces()
    name_this("router")
    ip("addr", "add", f"10.1.0.{EDGE}/24", "dev", "eth0")
    ip("addr", "add", f"fd01::{EDGE}/64", "dev", "eth0", "nodad")
    ip("addr", "add", f"10.9.0.{EDGE}/24", "dev", "farm0")
    ip("netns", "add", "client")
    ip("link", "add", "client0", "type", "veth", "peer", "name", "eth0", "netns", "client")
    ip("link", "set", "client0", "up")
    ip("addr", "add", f"{layout.ROUTER4}/24", "dev", "client0")
    ip("addr", "add", f"{layout.ROUTER6}/64", "dev", "client0", "nodad")
    for words in (("link", "set", "lo", "up"), ("link", "set", "eth0", "up"),
                  ("addr", "add", f"{layout.CLIENT4}/24", "dev", "eth0"),
                  ("addr", "add", f"{layout.CLIENT6}/64", "dev", "eth0", "nodad"),
                  ("route", "add", "default", "via", layout.ROUTER4),
                  ("-6", "route", "add", "default", "via", layout.ROUTER6)):
        ip(*words, ns="client")
    netns.write_sysctl({"ipv4.ip_forward": 1, "ipv6.conf.all.forwarding": 1, "ipv4.conf.all.send_redirects": 0,
                        "ipv4.conf.eth0.send_redirects": 0, "ipv4.fib_multipath_hash_policy": 1})


def entry(*members):
    """Points the router at one member, or spreads connections over several."""
    for family, vip, front in (("-4", f"{layout.VIP4}/32", front4), ("-6", f"{layout.VIP6}/128", front6)):
        hops = [word for member in members for word in ("nexthop", "via", front(member), "dev", "eth0")]
        ip(family, "route", "replace", vip, *hops)


def order(name, what, seconds=60):
    """Has a member do something; returns its answer."""
    with socket.create_connection((layout.farm4(name), CONTROL), timeout=seconds) as ear:
        ear.sendall(json.dumps(what).encode() + b"\n")
        with ear.makefile() as lines:
            return json.loads(lines.readline())


def run(name, *words, seconds=60):
    """Runs a program on a member; returns what it printed, raises RuntimeError when it failed."""
    answer = order(name, {"run": [str(word) for word in words]}, seconds)
    if answer["status"]:
        raise RuntimeError(f"{name}: {' '.join(map(str, words))}: {answer['err'] or answer['out']}")
    return answer["out"]


def host(what, name):
    """Asks the host for what only it can do to a machine: kill, boot, reboot-next (with another module), pause, resume."""
    print(f"@host {what} {name}", flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "member":
        member(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    elif sys.argv[1] == "again":
        again(sys.argv[2], int(sys.argv[3]))
    else:
        edge()
        os.execv(sys.executable, [sys.executable, *sys.argv[2:]])
