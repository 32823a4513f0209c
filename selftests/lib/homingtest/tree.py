# SPDX-License-Identifier: GPL-2.0
"""Copies of the source tree, in which something may be changed and built."""

import os
import shutil
import subprocess

from . import layout


def copy(path):
    """Makes or renews a copy: the files that git knows or would. What was built there before stays."""
    os.makedirs(path, exist_ok=True)
    files = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=layout.ROOT,
                           stdout=subprocess.PIPE, check=True).stdout.decode().split("\0")
    for name in filter(None, files):
        source, target = os.path.join(layout.ROOT, name), os.path.join(path, name)
        if os.path.lexists(source):
            os.makedirs(os.path.dirname(target), exist_ok=True)
            if not os.path.exists(target) or content(source) != content(target):
                shutil.copy2(source, target, follow_symlinks=False)
    return path


def content(path):
    """The bytes of a file."""
    with open(path, "rb") as file:
        return file.read()
