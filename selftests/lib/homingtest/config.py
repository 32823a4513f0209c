# SPDX-License-Identifier: GPL-2.0
"""Configuring the members of the farm through the operator's tool, and seeing that they found each other."""

import os
import secrets
import time

from . import cli, layout, netns, shell, wait

KEY_FILE = f"{layout.RUN}/key"
KEPT = 3  # keys that a member keeps


def make_key():
    """A farm key for this farm, and no other: 64 hex digits, readable by root alone."""
    for number in range(1, len(keys())):
        os.unlink(f"{KEY_FILE}.{number}")
    write_key(KEY_FILE)


def write_key(path):
    """A new key in a file."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(32) + "\n")


def keys():
    """The files of the farm's keys by their numbers, from 0 on."""
    paths = [KEY_FILE] if os.path.exists(KEY_FILE) else []
    while os.path.exists(f"{KEY_FILE}.{len(paths)}"):
        paths.append(f"{KEY_FILE}.{len(paths)}")
    return paths


def roll_key(members):
    """A new key for a farm at work; members that start later have it too. Returns its number."""
    number = len(keys())
    path = f"{KEY_FILE}.{number}"
    write_key(path)
    for role in ("receive", "send"):
        for member in members:
            cli.homing("key", "set", path, "--id", number, "--role", role, ns=member)
            time.sleep(0.3)  # meanwhile members differ, as where an operator goes from one to the next
    return number


def configure(member, state, deadline=None):
    """Gives `member` the farm's key, members and the service in both families, then attaches its eth0."""
    deadline = deadline or wait.Deadline(240)

    def homing(*words):
        cli.homing(*words, ns=member, timeout=deadline.left())

    options = state["options"]
    # The last one sends.
    for number, path in list(enumerate(keys()))[-KEPT:]:
        homing("key", "set", path, "--id", number)
    for other in state["members"]:
        weight = options.get("weights", {}).get(other, 100)
        homing("member", "set", other, "--id", layout.number(other), "--addr",
               layout.farm_address(other, options.get("farm_family") == 6), "--weight", weight, "--state", "up")
    if options.get("scale"):
        homing("debug", "scale", options["scale"])
    policy = ["--policy", options["policy"]] if options.get("policy") else []
    insert = [] if options.get("insert", True) else ["--no-insert"]
    for six in (False, True):
        homing("service", "add", cli.service(six=six), *policy, *insert)
    if not options.get("push", True):
        homing("debug", "push", "off")
    homing("attach", "eth0")


def configure_all(members, state, deadline=None):
    """Configures several members at once."""
    netns.in_parallel([(None, lambda m=member: configure(m, state, deadline)) for member in members])


def not_seen(members, living):
    """For each member the states of living members that it does not call `up`; {} when all is well."""
    missing = {}
    for member in members:
        try:
            states = {row["name"]: row["state"] for row in cli.show("members", ns=member)}
        except (shell.Failed, ValueError, KeyError) as error:
            missing[member] = str(error)
            continue
        wrong = {name: states.get(name, "absent") for name in living if states.get(name) != "up"}
        if wrong:
            missing[member] = wrong
    return missing


def wait_up(living, seconds=120.0):
    """Returns when every living member calls every living member `up`; wait.TimedOut says who does not."""
    def probe():
        missing = not_seen(living, living)
        if not missing:
            return True
        return wait.Explained("; ".join(f"{member} sees {what}" for member, what in missing.items()))

    wait.until("members see each other up", probe, seconds=seconds, pause=0.2)
