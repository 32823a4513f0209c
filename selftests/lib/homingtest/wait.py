# SPDX-License-Identifier: GPL-2.0
"""Waiting for something to become true: the only place of the tests where time passes on purpose."""

import time


class TimedOut(Exception):
    """The condition did not become true; the text says what was seen last."""


def until(what, probe, seconds=10.0, pause=0.05):
    """Calls `probe()` until it returns something true, and returns that.

    Raises TimedOut after `seconds`, naming `what` and the last false value (an explanation, if the
    probe returns one in an `Explained`). The last call begins when they are over: who stood still in
    between has not waited.
    """
    end = time.monotonic() + seconds
    while True:
        over = time.monotonic() >= end
        value = probe()
        if value and not isinstance(value, Explained):
            return value
        if over:
            raise TimedOut(f"{what}: not within {seconds:g} s; last: {value}")
        time.sleep(pause)


class Deadline:
    """One moment by which several things in a row have to be done."""

    def __init__(self, seconds):
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def left(self):
        """Seconds until then; a hundredth when it has passed, so that what is ready is still found ready."""
        return max(self._end - time.monotonic(), 0.01)


class Explained(str):
    """A false answer of a probe, with its reason."""


def holds(what, probe, seconds, pause=0.05):
    """Checks that `probe()` stays true for `seconds`; raises TimedOut the moment it does not."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = probe()
        if not value:
            raise TimedOut(f"{what}: did not hold; saw {value!r}")
        time.sleep(pause)
