"""Counts what passed and what failed, and keeps what the failures said."""
from __future__ import annotations

import re
import time

from ..common import green, red, say

SHOWN_LINES = 40


class Report:
    """One part's results. The first failures are shown at once, all of them by name at the end."""

    def __init__(self, part: str):
        self.part = part
        self.passed = 0
        self.failures: list[str] = []
        self.skips: list[str] = []
        self.notes: list[str] = []
        self.started = time.monotonic()

    def ok(self, count: int = 1) -> None:
        self.passed += count

    def fail(self, name: str, why: str = "") -> None:
        self.failures.append(name)
        if len(self.failures) <= 20:
            say(red(f"  FAILED {self.part}: {name}"))
            for line in _shortened(why):
                say("    " + line)

    def check(self, good: bool, name: str, why: str = "") -> bool:
        if good:
            self.ok()
        else:
            self.fail(name, why)
        return good

    def skip(self, name: str, why: str) -> None:
        self.skips.append(f"{name}: {why}")

    def note(self, text: str) -> None:
        self.notes.append(text)

    def finish(self) -> None:
        count = f"{self.passed} passed, {len(self.failures)} failed"
        skipped = f", {len(self.skips)} skipped" if self.skips else ""
        seconds = time.monotonic() - self.started
        paint = red if self.failures else green
        say(paint(f"{self.part:<12} {count}{skipped}") + f"  ({seconds:.0f} s)")
        for reason in sorted(set(self.skips))[:12]:
            say(f"  skipped {reason}")
        for note in self.notes:
            say(f"  {note}")


def _shortened(text: str) -> list[str]:
    plain = re.sub(r"\x1b\[[0-9;]*[mK]", "", text)
    lines = [line for line in plain.splitlines() if line.strip()]
    if len(lines) > SHOWN_LINES:
        lines = lines[:SHOWN_LINES // 2] + ["[...]"] + lines[-SHOWN_LINES // 2:]
    return lines
