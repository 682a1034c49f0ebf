"""The cases of a build tree: lists them through ctest, runs each in a process of its own."""
from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Iterable

from .common import TESTS, WorkshopError, processors, run, say

SENTENCE = re.compile(r"NotImplemented: exercise (\d+)\.(\d+), ([^\n]*?): not written yet[^\n]*")
SUITE = re.compile(r"Ex(\d+)_(\d+)")
SHORT_S = 10


@dataclass(frozen=True)
class Case:
    prefix: str  # "step05" or "solution05"
    name: str  # "Ex5_2_Cascade.TimerOn..."
    command: tuple[str, ...]
    timeout: float
    env: tuple[str, ...] = ()

    @property
    def step(self) -> int:
        return int(self.prefix[-2:])

    @property
    def exercise(self) -> tuple[int, int] | None:
        found = SUITE.search(self.name.split(".")[0])
        return (int(found[1]), int(found[2])) if found else None


@dataclass
class Result:
    case: Case
    status: str  # passed, skipped, failed, timeout
    output: str

    @property
    def ok(self) -> bool:
        return self.status in ("passed", "skipped")

    @property
    def stubs(self) -> list[tuple[int, int]]:
        """The blank exercises that the output names, lowest first."""
        return sorted((int(a), int(b)) for a, b, _ in SENTENCE.findall(self.output))


def list_cases(build_dir: Path, prefix: str) -> list[Case]:
    """`prefix`: "step" or "solution"."""
    done = run(["ctest", "--test-dir", build_dir, "--show-only=json-v1"], quiet=True)
    try:
        tests = json.loads(done.stdout[done.stdout.index("{"):])["tests"]
    except (ValueError, KeyError) as error:
        raise WorkshopError(f"ctest lists no tests in {build_dir}", "rm -rf it and try again") from error
    cases = []
    for test in tests:
        head, _, name = test["name"].partition(".")
        if not head.startswith(prefix) or name == "build":
            continue
        properties = {p["name"]: p["value"] for p in test.get("properties", [])}
        cases.append(Case(head, name, tuple(test.get("command", [])),
                          float(properties.get("TIMEOUT", 60)),
                          tuple(properties.get("ENVIRONMENT", []))))
    return cases


_running: set[subprocess.Popen] = set()


def run_case(case: Case, env: dict | None = None, timeout: float | None = None) -> Result:
    settings = dict(pair.split("=", 1) for pair in case.env)
    process = subprocess.Popen(
        case.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env={**os.environ, **settings, **(env or {})}, start_new_session=True)
    _running.add(process)
    try:
        raw, _ = process.communicate(timeout=timeout or case.timeout)
        status = "passed" if process.returncode == 0 else "failed"
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raw, _ = process.communicate()
        status = "timeout"
    finally:
        _running.discard(process)
    output = raw.decode(errors="replace")
    if status == "passed" and "[  SKIPPED ]" in output:
        status = "skipped"
    if status == "failed" and process.returncode < 0:
        output += f"\n(killed by {signal.Signals(-process.returncode).name})"
    if status == "timeout":
        output += f"\n(still running after {timeout or case.timeout:.0f} s)"
    return Result(case, status, output)


def run_cases(cases: Iterable[Case], jobs: int = 0, env: dict | None = None,
              hangs_max: int | None = None) -> list[Result]:
    """When `hangs_max` cases have not ended, each later one has SHORT_S."""
    hung: list[str] = []

    def one(case: Case) -> Result:
        short = hangs_max is not None and len(hung) >= hangs_max
        result = run_case(case, env, SHORT_S if short else None)
        if result.status == "timeout":
            hung.append(case.name)
            if len(hung) == hangs_max:
                say(f"{case.name} and another case do not end; the others have {SHORT_S} s each.")
        return result

    with ThreadPoolExecutor(jobs or processors()) as pool:
        try:
            return list(pool.map(one, cases))
        except BaseException:  # Ctrl-C or SIGTERM: nobody is left behind.
            pool.shutdown(wait=False, cancel_futures=True)
            for process in list(_running):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
            raise


class Given:
    """tests/given.txt: cases that pass on blank stubs. Lines: `05 Suite.Case: reason`."""

    def __init__(self, path: Path = TESTS / "given.txt"):
        self.patterns: list[tuple[int, re.Pattern]] = []
        lines = path.read_text().splitlines() if path.exists() else []
        for number, line in enumerate(lines, 1):
            if not line.strip() or line.startswith("#"):
                continue
            found = re.match(r"(\d\d)\s+([\w*]+\.[\w*]+):\s*\S", line)
            if not found:
                raise WorkshopError(f"tests/given.txt:{number}: not `05 Suite.Case: reason`")
            pattern = re.escape(found[2]).replace(r"\*", ".*")
            self.patterns.append((int(found[1]), re.compile(pattern + r"\Z")))

    def __contains__(self, case: Case) -> bool:
        return any(step == case.step and pattern.match(case.name)
                   for step, pattern in self.patterns)
