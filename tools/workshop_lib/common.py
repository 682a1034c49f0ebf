"""Paths, layers, and the one kind of error that is shown to people."""
from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOLUTIONS = ROOT / "solutions"
STEPS = ROOT / "steps"
TESTS = ROOT / "tests"
BUILD = ROOT / "build"
BUILD_RELEASE = ROOT / "build-release"

LAYERS = (
    "01_future_promise", "02_task", "03_waker", "04_executor", "05_timers", "06_channels",
    "07_io_driver", "08_networking", "09_smp_messaging", "10_http_echo",
)

chosen_layers: list[str] = []  # Empty: all.


class WorkshopError(Exception):
    """One clear sentence and, where there is one, a remedy. Ends the command with status 2."""

    def __init__(self, what: str, remedy: str = ""):
        super().__init__(what)
        self.remedy = remedy


def layer_of(step: str) -> str:
    """"5", "05", "step05" or "05_timers" -> "05_timers"."""
    digits = "".join(c for c in step.split("_")[0].split(".")[0] if c.isdigit())
    for layer in LAYERS:
        if digits and int(layer[:2]) == int(digits):
            return layer
    raise WorkshopError(f'there is no step "{step}"',
                        "the steps are 01 to 10: " + ", ".join(LAYERS))


def present_layers() -> list[str]:
    """Those with tests, and of these the chosen ones (`./workshop test --layers 05 06`)."""
    return [layer for layer in LAYERS if (TESTS / layer / "layer.cmake").exists()
            and any((TESTS / layer).glob("*_test.cc"))
            and (not chosen_layers or layer in chosen_layers)]


def relative(path: Path) -> str:
    try:
        return str(path.relative_to(ROOT))
    except ValueError:
        return str(path)


def run(command: list, *, cwd: Path = ROOT, quiet: bool = False, env: dict | None = None,
        timeout: float | None = None) -> subprocess.CompletedProcess:
    """Runs a command; with `quiet` its output is kept instead of shown. Never reads stdin."""
    return subprocess.run(
        [str(part) for part in command], cwd=cwd, env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL, timeout=timeout, check=False, text=True, errors="replace",
        stdout=subprocess.PIPE if quiet else None, stderr=subprocess.STDOUT if quiet else None)


def say(text: str = "") -> None:
    print(text, flush=True)


def colour(code: str, text: str) -> str:
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return text
    return f"\033[{code}m{text}\033[0m"


def green(text: str) -> str:
    return colour("32", text)


def red(text: str) -> str:
    return colour("31", text)


def bold(text: str) -> str:
    return colour("1", text)


def processors() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 2
