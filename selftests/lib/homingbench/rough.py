# SPDX-License-Identifier: GPL-2.0
"""In the guest, by the wall clock: requests a second with as many clients at once as there are processors.

Rough: emulated processors share those of a busy host. It says how the work spreads over processors, and whether
they stand in each other's way; how fast anything is it does not say.
"""

import os
import re
import subprocess

from homingtest import layout, netns, tap

from .stage import LOAD, WARM, request

EACH, KEEP = 3000, 12000  # connections, and requests on one connection, of each client
PATH = "/tmp/bench-request"


def rate(stage, keep):
    """Requests a second of all clients together."""
    n = KEEP if keep else EACH
    command = [LOAD, "http", layout.VIP4, "80", str(n), str(WARM), "keep" if keep else "each", PATH, "2"]
    with netns.inside("client"):
        clients = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(os.cpu_count())]
    total = 0.0
    for client in clients:
        told = re.fullmatch(r"units (\d+) ns (\d+) failed 0\n", client.communicate()[0])
        tap.true(told, f"a client of {stage.kind}: {told}")
        total += int(told[1]) / int(told[2]) * 1e9
    return total


def measure(stage):
    """All of it, written down."""
    with netns.inside("client"):
        netns.write_sysctl({"ipv4.tcp_tw_reuse": 1})
    homes = {"local": "m1", "other": "m2"} if stage.homing else {"": None}
    for where, home in homes.items():
        with open(PATH, "wb") as file:
            file.write(request(home and f"homing={stage.sid(home)}"))
        with stage.steered(home):
            for name, keep in (("conn", False), ("ka", True)):
                stage.record(name="-".join(filter(None, (name, where))), n=1, rate=round(rate(stage, keep)))
