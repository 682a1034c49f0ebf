"""`./workshop race --micro`: single operations, Starling beside Tokio, Asio and the machine itself."""
from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass

from workshop_lib.common import WorkshopError, say

from . import svg
from .figures import short, summary, with_spread
from .page import head_lines, table
from .programs import Programs
from .running import Cores

TIMEOUT_S = 300


@dataclass(frozen=True)
class Contender:
    key: str
    title: str
    program: str
    kind: str  # The colour of its bar.


CONTENDERS = [
    Contender("starling", "Starling", "starling_micro", "starling"),
    Contender("tokio", "Tokio", "tokio_micro", "peer"),
    Contender("asio", "Asio", "asio_micro", "peer"),
    Contender("limit", "no runtime", "limit_micro", "floor"),
]


@dataclass(frozen=True)
class Case:
    key: str
    title: str
    unit: str = "ns"
    note: str = ""
    threads: int = 1


CASES = [
    Case("spawn", "spawn and join", note="a task starts an empty task and awaits it, one at a time"),
    Case("yield", "yield", note="the only task goes to the end of the queue and comes back"),
    Case("await", "await a child", note="a coroutine awaits another that returns a number; Rust compiles "
         "both into one state machine, so there is nothing to compare"),
    Case("then", "ready future, then", note="made, `then`, taken; nobody waits"),
    Case("channel", "bounded channel", note="one task sends, one receives, room for 128: one message"),
    Case("oneshot", "oneshot", note="made, sent, received; the value is there when it is awaited"),
    Case("timer-insert", "timer insert", note="4,096 more, beside 1,000,000 armed, due in 5 to 69 s"),
    Case("timer-cancel", "timer cancel", note="the same 4,096"),
    Case("timer-fire", "timer fire", note="1,000,000, all overdue: to find one and call its target"),
    Case("message-spinning", "round trip to another thread, both spinning", threads=2,
         note="`submit_to`; the limit is a cache line, there and back"),
    Case("message-sleeping", "round trip to another thread, both sleeping", threads=2,
         note="`submit_to`, Tokio `Handle::spawn` and join, Asio `post` there and back; the limit is an "
         "eventfd in each direction"),
    Case("message-batched", "round trip, 128 in flight", threads=2, note="the same, from 128 tasks"),
    Case("cpu-bound-1", "a handler that only computes, one shard",
         note="wall time an answer"),
    Case("cpu-bound-2", "a handler that only computes, two shards", threads=2,
         note="wall time an answer, both shards together"),
    Case("start-up", "start-up", note="make a runtime, run an empty task, destroy it"),
    Case("task-memory", "memory of a parked task", "B",
         note="resident memory, 1,000,000 tasks that wait: for nothing (Starling, Tokio), for a timer that "
         "all share (Asio)"),
    Case("spawn-many", "spawn many and join them", note="1,000,000 empty tasks, first all started, then all "
         "awaited; each"),
]


def needed() -> list[str]:
    return [contender.program for contender in CONTENDERS]


def run(programs: Programs, rounds: int, only: list[str], quick: bool) -> dict:
    """{case: {contender: summary}}"""
    cases = [c for c in CASES if not only or any(c.key.startswith(word) for word in only)]
    if not cases:
        raise WorkshopError(f'no case is called "{only[0]}"',
                            "there are " + ", ".join(c.key for c in CASES))
    has = {c.key: cases_of(programs, c) for c in CONTENDERS if c.program in programs.paths}
    results: dict[str, dict[str, dict]] = {}
    for case in cases:
        size = "20000" if quick and _is_large(case) else ""
        samples: dict[str, list[float]] = {}
        for _ in range(rounds):
            for contender in CONTENDERS:
                if case.key in has.get(contender.key, ()):
                    value = one(programs, contender, case.key, size, case.threads)
                    samples.setdefault(contender.key, []).append(value)
        results[case.key] = {key: summary(values) for key, values in samples.items()}
        say(f"{case.title:45} " + "   ".join(
            f"{c.title} {short(results[case.key][c.key]['median'])} {case.unit}"
            for c in CONTENDERS if c.key in results[case.key]))
    return results


def _is_large(case: Case) -> bool:
    return case.key.startswith("timer") or case.key in ("task-memory", "spawn-many")


def cases_of(programs: Programs, contender: Contender) -> set[str]:
    done = subprocess.run([programs.paths[contender.program], "--list"], capture_output=True,
                          text=True, check=False)
    return set(done.stdout.split())


def one(programs: Programs, contender: Contender, case: str, size: str, threads: int) -> float:
    """One case in a process of its own, on as many cores as it has threads."""
    cores = Cores(threads)
    os.sched_setaffinity(0, cores.server)
    try:
        done = subprocess.run([programs.paths[contender.program], case, *([size] if size else [])],
                              capture_output=True, text=True, check=False, timeout=TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise WorkshopError(f"{contender.title} did not end {case} within {TIMEOUT_S} s") from None
    finally:
        os.sched_setaffinity(0, cores.all)
    if done.returncode != 0:
        raise WorkshopError(f"{contender.title} failed at {case}: status {done.returncode}; "
                            f"{done.stderr.strip()[-200:]}")
    return float(done.stdout.split()[-1])


def report(part: dict, pictures: dict[str, str]) -> list[str]:
    rows = []
    for case in CASES:
        found = part["results"].get(case.key)
        if found:
            rows.append([f"{case.title}, {case.unit}",
                         *(with_spread(found[c.key]) if c.key in found else "–"
                           for c in CONTENDERS)])
    lines = ["## Single operations", "", *head_lines(part["head"]),
             *table(["what", *(c.title for c in CONTENDERS)], rows), "What is done:", ""]
    lines += [f"- {case.title}: {case.note}." for case in CASES if case.key in part["results"]]
    lines.append("")
    for case in CASES:
        found = part["results"].get(case.key, {})
        if len(found) > 1:
            pictures[f"micro-{case.key}"] = _bars(case, found)
            lines.append(f"![{case.title}](micro-{case.key}.svg)")
    return [*lines, ""]


def _bars(case: Case, found: dict) -> str:
    items = [svg.Bar(c.title, found[c.key]["median"], found[c.key]["min"], found[c.key]["max"],
                     c.kind) for c in CONTENDERS if c.key in found]
    return svg.bars(case.title, f"{case.unit}, less is better", items)

