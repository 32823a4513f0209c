# SPDX-License-Identifier: GPL-2.0
"""Bad networks on purpose: tc-netem(8) on the sending side of a link."""

import contextlib

from . import shell


@contextlib.contextmanager
def on(*links):
    """`with on(("client", "eth0", "delay 40ms"), ...):` the links are so for the body."""
    done = []
    try:
        for ns, device, words in links:
            # A queue that holds a whole window: netem's own 1000 packets would add losses.
            shell.run("tc", "qdisc", "replace", "dev", device, "root", "netem", "limit", "100000",
                      *words.split(), ns=ns)
            done.append((ns, device))
        yield
    finally:
        for ns, device in done:
            shell.run("tc", "qdisc", "del", "dev", device, "root", ns=ns, check=False)


def delay(milliseconds):
    """Links that add `milliseconds` to every round trip of the client, half in each direction."""
    half = f"delay {milliseconds / 2:g}ms"
    return (("client", "eth0", half), ("router", "eth0", half))
