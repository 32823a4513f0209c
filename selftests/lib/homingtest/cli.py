# SPDX-License-Identifier: GPL-2.0
"""Calling the operator's tool `homing`: text and JSON, in a member's namespace."""

import json
import os
import shutil

from . import layout, shell


def program():
    """The tool: HOMING_CLI, or `homing` on the path, or None."""
    return os.environ.get("HOMING_CLI") or shutil.which("homing")


def homing(*words, ns=None, check=True, timeout=120):
    """Runs `homing WORDS`; returns CompletedProcess, raises shell.Failed on another status than 0."""
    return shell.run(program() or "homing", *words, ns=ns, check=check, timeout=timeout)


def read(*words, ns=None):
    """The JSON document that `homing -j WORDS` prints."""
    return json.loads(homing("-j", *words, ns=ns).stdout or "null")


def rows(*words, ns=None):
    """A list of objects, whether the tool prints a bare list or an object with one list in it."""
    value = read(*words, ns=ns)
    if isinstance(value, dict):
        lists = [part for part in value.values() if isinstance(part, list)]
        return lists[0] if lists else [value]
    return value or []


def show(what, ns):
    """Rows of `homing show WHAT` in namespace `ns`."""
    return rows("show", what, ns=ns)


def stats(ns):
    """The counters of a member by name."""
    value = read("show", "stats", ns=ns)
    return {name: int(number) for name, number in value.items() if isinstance(number, int)}


def changed(before, after):
    """The counters that moved between two readings, as {name: difference}."""
    return {name: after[name] - before.get(name, 0) for name in after
            if after[name] != before.get(name, 0)}


def understands(*words):
    """True when the tool knows the verb `words`: asked by --help, which changes nothing."""
    return program() is not None and homing(*words, "--help", check=False).returncode == 0


def service(port=layout.PORT, six=layout.SIX):
    """VIP:PORT as the tool wants it."""
    return f"[{layout.VIP6}]:{port}" if six else f"{layout.VIP4}:{port}"
