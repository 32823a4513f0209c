# SPDX-License-Identifier: GPL-2.0
"""What the checks in Python share: the files of the repository, TAP points, how a check ends."""

import os
import re
import sys

ROOT = os.path.realpath(os.path.join(os.path.dirname(os.path.realpath(__file__)), "..", "..", ".."))
# Made, not written.
LEFT_OUT = {".git", "build", "target", "__pycache__", "corpus"}


def files(*folders, ends=""):
    """Paths of the files below these folders (all when none is named), from the root, in order."""
    found = []
    for folder in folders or ("",):
        for where, names, leaves in os.walk(os.path.join(ROOT, folder)):
            names[:] = sorted(name for name in names if name not in LEFT_OUT)
            found += [os.path.relpath(os.path.join(where, leaf), ROOT) for leaf in leaves if leaf.endswith(ends)]
    return sorted(found)


def read(path):
    """A file's text; "" when it is none (a binary file)."""
    with open(os.path.join(ROOT, path), "rb") as file:
        data = file.read()
    return "" if b"\0" in data else data.decode("utf-8", "replace")


def texts(*folders, ends=""):
    """{path: text} of the files below these folders."""
    return {path: read(path) for path in files(*folders, ends=ends) if not os.path.islink(os.path.join(ROOT, path))}


class Points:
    """The points of one check."""

    def __init__(self):
        self.count = self.failed = 0

    def point(self, good, what, lines=()):
        """One point, and the lines that say what is wrong."""
        self.count += 1
        self.failed += not good
        print(f"{'ok' if good else 'not ok'} {self.count} {what}")
        if not good:
            for line in lines:
                print(f"# {line}")

    def clean(self, what, problems):
        """Ok when there are no problems."""
        self.point(not problems, what, problems)

    def finds(self, what, problems, expected):
        """Ok when the problems are as many as expected, each matching its pattern: a check must be able to fail."""
        good = len(problems) == len(expected) and all(
            re.search(pattern, problem) for pattern, problem in zip(expected, problems))
        self.point(good, what, [f"expected {expected}", f"found {problems}"])

    def finish(self):
        """The plan; ends the program."""
        print(f"1..{self.count}")
        sys.exit(1 if self.failed or not self.count else 0)
