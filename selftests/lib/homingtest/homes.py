# SPDX-License-Identifier: GPL-2.0
"""Services that one member alone listens on: who asks there knows which member will be the home."""

import contextlib

from . import cli, farm, layout, listener, wait

ENTRY = "m1"
FIRST_PORT = 8101


class Homes:
    """One service for each of `names`, all through the entry member m1; `serve(talk)` is their application.

    `rest` goes to its `Listener`.
    """

    def __init__(self, bed, serve, names=("m1", "m2"), **rest):
        self._members = bed.members
        self.ports = {name: FIRST_PORT + index for index, name in enumerate(names)}
        self.apps = []
        for name, port in self.ports.items():
            self.apps.append(listener.Listener(name, port, serve, **rest))
            for member in self._members:
                cli.homing("service", "add", cli.service(port), ns=member)
        farm.entry(ENTRY)
        for port in self.ports.values():
            self._until_known(port)

    @staticmethod
    def _until_known(port):
        def known():
            rows = [row for row in cli.show("services", ns=ENTRY) if row["port"] == port]
            return rows and all(row["listeners"] == 1 for row in rows)
        wait.until(f"{ENTRY} knows who listens on {port}", known)

    @contextlib.contextmanager
    def removed(self, port):
        """A service is there on no member for the body."""
        for member in self._members:
            cli.homing("service", "del", cli.service(port), ns=member)
        try:
            yield
        finally:
            self.set(port)
            self._until_known(port)

    def set(self, port, *words):
        """Changes a service on all members."""
        for member in self._members:
            cli.homing("service", "add", cli.service(port), *words, ns=member)


def end():
    """The services go, whether or not they are there."""
    for member in layout.members(3):
        for port in range(FIRST_PORT, FIRST_PORT + 3):
            cli.homing("service", "del", cli.service(port), ns=member, check=False)
