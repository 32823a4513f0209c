# SPDX-License-Identifier: GPL-2.0
"""Running other programs: one way for all, with the error text kept."""

import os
import shutil
import subprocess

from . import netns

# Root's own tools, also where a login shell of a plain user would not look for them.
os.environ["PATH"] = os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/local/sbin:/usr/sbin:/sbin"


class Failed(Exception):
    """A program ended with another status than 0; the text has its command and its last words."""

    def __init__(self, command, status, output):
        self.command, self.status, self.output = command, status, output
        words = " ".join(command)
        super().__init__(f"`{words}` ended with {status}: {output.strip()[-600:]}")


def run(*command, ns=None, check=True, stdin=None, timeout=120, env=None):
    """Runs `command` in namespace `ns`; returns CompletedProcess with text in stdout and stderr."""
    command = [str(word) for word in command]
    with netns.inside(ns):
        done = subprocess.run(command, input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              stdin=None if stdin is not None else subprocess.DEVNULL,
                              text=True, errors="replace", timeout=timeout, check=False,
                              env=None if env is None else {**os.environ, **env})
    if check and done.returncode != 0:
        raise Failed(command, done.returncode, done.stderr or done.stdout)
    return done


def ip_batch(lines, ns=None, force=False):
    """Hands the commands `lines` to one `ip -batch` in namespace `ns`: one process for all of them."""
    options = ["-force"] if force else []
    return run("ip", *options, "-batch", "-", ns=ns, check=not force, stdin="\n".join(lines) + "\n")


def have(program):
    """True when `program` is installed."""
    return shutil.which(program) is not None
