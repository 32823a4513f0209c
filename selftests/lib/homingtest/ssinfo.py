# SPDX-License-Identifier: GPL-2.0
"""What the kernel knows of a TCP socket: the output of `ss -tino`, see ss(8)."""

import re

from . import shell


def sockets(ns, *expression):
    """One dict per TCP socket: state, local, peer, and the `name:value` pairs that ss prints."""
    found = []
    for line in shell.run("ss", "-H", "-tinoO", *expression, ns=ns).stdout.splitlines():
        words = line.split()
        if len(words) < 5:
            continue
        info = {"state": words[0], "local": words[3], "peer": words[4], "words": words[5:]}
        for word in words[5:]:
            pair = re.fullmatch(r"([a-z_]+):(\S+)", word)
            if pair:
                info[pair[1]] = pair[2]
        found.append(info)
    return found


def of_client(ns, port):
    """The socket in namespace `ns` whose peer has port `port`, or None."""
    for info in sockets(ns):
        if info["peer"].endswith(f":{port}"):
            return info
    return None


def round_trip(info):
    """(smoothed rtt, smallest rtt or None, rto), all in ms."""
    smoothed = float(info["rtt"].split("/")[0]) if "rtt" in info else None
    smallest = float(info["minrtt"]) if "minrtt" in info else None
    return smoothed, smallest, float(info.get("rto", 3000))  # ss leaves out the kernel's fallback of 3 s
