# SPDX-License-Identifier: GPL-2.0
"""The access logs of the members: which application saw which request."""

import json
import re
from collections import namedtuple

from . import layout, wait

Line = namedtuple("Line", "member address port request status")
_FORM = re.compile(r'(\S+) (\d+) "(.*)" (\d+)')


def lines(member, having=""):
    """The lines of one member's log that have this text in them.

    A log can have 100,000 lines of a load: those without the text are not taken apart.
    """
    with open(layout.access_log(member), encoding="utf-8", errors="replace") as file:
        text = file.read().splitlines()
    found = []
    for line in text:
        if having not in line:
            continue
        if line.startswith("{"):  # a server whose log is JSON
            about = json.loads(line)
            if "request" in about:
                asked = about["request"]
                found.append(Line(member, asked["remote_ip"], int(asked["remote_port"]),
                                  f"{asked['method']} {asked['uri']} {asked['proto']}", about["status"]))
        elif m := _FORM.fullmatch(line):
            found.append(Line(member, m[1], int(m[2]), m[3], int(m[4])))
    return found


def of_path(members, path):
    """The lines of every log of `members` whose request is for exactly `path`."""
    return [line for member in members for line in lines(member, path)
            if line.request.split(" ")[1:2] == [path]]


def exactly_one(members, path, seconds=20.0):
    """The one line that all logs together have for `path`; fails on none or several.

    nginx writes its line after the answer has been sent, so a short wait is fair.
    """
    wait.until(f"a log line for {path}", lambda: of_path(members, path), seconds=seconds)
    found = of_path(members, path)
    if len(found) != 1:
        raise AssertionError(f"{path}: {len(found)} log lines: {found}")
    return found[0]


def counts(members):
    """{path: [members whose log has it, once per line]} over all logs."""
    found = {}
    for member in members:
        for line in lines(member):
            words = line.request.split(" ")
            if len(words) > 1:
                found.setdefault(words[1], []).append(member)
    return found
