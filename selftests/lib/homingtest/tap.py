# SPDX-License-Identifier: GPL-2.0
"""Tests and their results in the Test Anything Protocol, as Documentation/dev-tools/ktap.rst reads it.

A test file makes one Suite, decorates functions with `@suite.test("what is proven")` and ends with
`suite.main()`. Status: 0 all well, 1 something failed, 4 everything was skipped.
"""

import sys
import time
import traceback


class Skip(Exception):
    """The test cannot run here; the text names what is missing."""


class Failure(AssertionError):
    """What was proven did not hold; the text has what was seen and what was wanted."""


def true(value, what):
    """Fails unless `value` is true."""
    if not value:
        raise Failure(f"{what}: {value!r}")
    return value


def equal(seen, wanted, what):
    """Fails unless `seen` equals `wanted`."""
    if seen != wanted:
        raise Failure(f"{what}: saw {seen!r}, wanted {wanted!r}")
    return seen


def within(seen, low, high, what):
    """Fails unless low <= seen <= high."""
    if not low <= seen <= high:
        raise Failure(f"{what}: saw {seen!r}, wanted {low!r} to {high!r}")
    return seen


class Suite:
    """The tests of one file, in the order they are written."""

    def __init__(self):
        self._tests = []
        self._before = None
        self._after = []

    def setup(self, function):
        """Runs once before all; what it returns is handed to every test; a Skip in it skips all."""
        self._before = function
        return function

    def cleanup(self, function):
        """Runs once after all, whatever happened."""
        self._after.append(function)
        return function

    def test(self, what):
        """Makes the decorated function a test that proves `what`."""
        def decorate(function):
            self._tests.append((what, function))
            return function
        return decorate

    def _run_one(self, function, context):
        start = time.monotonic()
        try:
            function(context)
            verdict, note, lines = "ok", "", []
        except Skip as reason:
            verdict, note, lines = "ok", f" # SKIP {reason}", []
        except Failure as error:
            verdict, note, lines = "not ok", "", [str(error)]
            frame = traceback.extract_tb(error.__traceback__)[1]
            lines.append(f"at {frame.filename.rpartition('/')[2]}:{frame.lineno}: {frame.line}")
        except Exception:  # a crash of the test is a failure of the test
            verdict, note, lines = "not ok", "", traceback.format_exc().strip().splitlines()
        return verdict, note, lines, time.monotonic() - start

    def main(self):
        """Runs everything, prints TAP, leaves with the status."""
        print("TAP version 13", flush=True)
        print(f"1..{len(self._tests)}", flush=True)
        context, skip_all = None, None
        failed = skipped = 0
        try:
            context = self._before() if self._before else None
        except Skip as reason:
            skip_all = str(reason)
        except Exception:
            print("Bail out! setup failed", flush=True)
            for line in traceback.format_exc().strip().splitlines():
                print(f"# {line}", flush=True)
            self._finish()
            sys.exit(1)
        for index, (what, function) in enumerate(self._tests, 1):
            if skip_all is not None:
                verdict, note, lines, took = "ok", f" # SKIP {skip_all}", [], 0.0
            else:
                verdict, note, lines, took = self._run_one(function, context)
            skipped += "# SKIP" in note
            failed += verdict != "ok"
            print(f"{verdict} {index} {what}{note}", flush=True)
            for line in lines:
                print(f"# {line}", flush=True)
            print(f"# took {took:.2f} s", flush=True)
        self._finish()
        sys.exit(1 if failed else 4 if skipped == len(self._tests) else 0)

    def _finish(self):
        for function in reversed(self._after):
            try:
                function()
            except Exception as error:
                print(f"# cleanup: {error}", flush=True)
