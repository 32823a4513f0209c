# SPDX-License-Identifier: GPL-2.0
"""What the farm remembers between two commands: one JSON file, replaced whole."""

import json
import os

from . import layout

FILE = f"{layout.RUN}/state.json"


def load():
    """The state as a dict, or None when no farm is up (not even in part)."""
    try:
        with open(FILE, encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        return None


def save(state):
    """Stores the state; a reader sees the old or the new one, never half of it."""
    os.makedirs(layout.RUN, exist_ok=True)
    with open(FILE + ".new", "w", encoding="utf-8") as file:
        json.dump(state, file, indent=1)
    os.replace(FILE + ".new", FILE)


def alive(state):
    """Names of the members that are powered on, in order."""
    return [name for name, member in state["members"].items() if member["alive"]]
