"""Counts checks, and says one line about each."""
from __future__ import annotations

import time
import traceback
from typing import Callable


class Failure(Exception):
    """What a check found wrong, as a sentence."""


class Skip(Exception):
    """Why a check cannot be made here."""


def check(good: object, sentence: str) -> None:
    if not good:
        raise Failure(sentence)


class Tally:
    def __init__(self, timed: bool = False):
        self.passed = self.failed = self.skipped = 0
        self.timed = timed

    def run(self, name: str, function: Callable, *arguments) -> bool:
        started = time.monotonic()
        try:
            function(*arguments)
        except Skip as reason:
            self.skip(name, str(reason))
            return True
        except (Failure, OSError) as problem:
            return self.fail(name, f"{type(problem).__name__}: {problem}"
                             if isinstance(problem, OSError) else str(problem))
        except Exception as error:  # A bug here is a failure too, not the end of the others.
            where = traceback.extract_tb(error.__traceback__)[-1]
            return self.fail(name, f"{type(error).__name__}: {error} ({where.filename}:{where.lineno})")
        self.passed += 1
        took = f"  ({time.monotonic() - started:.2f} s)" if self.timed else ""
        print(f"ok {name}{took}", flush=True)
        return True

    def fail(self, name: str, why: str) -> bool:
        self.failed += 1
        print(f"FAILED {name}: {' '.join(why.split())[:1500]}", flush=True)
        return False

    def skip(self, name: str, why: str) -> None:
        self.skipped += 1
        print(f"skipped {name}: {why}", flush=True)

    def finish(self) -> int:
        skipped = f" ({self.skipped} skipped, by name above)" if self.skipped else ""
        print(f"{self.passed} passed, {self.failed} failed{skipped}", flush=True)
        return 1 if self.failed or not self.passed else 0
