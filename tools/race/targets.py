"""What Starling means to reach, and whether the last figures do."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Callable

from .figures import paired_ratio, short
from .servers import STARLING_EPOLL, STARLING_URING

# Below this the generator did not wait for the server, so throughput says nothing about the server
# and its CPU time an answer is compared instead.
SATURATED = 0.95


@dataclass
class Target:
    what: str
    limit: float
    at_least: bool
    unit: str
    measure: Callable[[dict], tuple[float, str] | None]  # The value and a note, None if unknown.


def _ratio(scenario: str, one: str, other: str) -> Callable[[dict], tuple[float, str] | None]:
    def measure(known: dict):
        found = known.get("race", {}).get("results", {}).get(scenario, {})
        if one not in found or other not in found:
            return None
        a, b = found[one], found[other]
        by_rate = paired_ratio(a["rate"], b["rate"])["median"]
        by_cpu = paired_ratio(b["cpu_ns"], a["cpu_ns"])["median"]
        saturated = min(a["server_share"]["median"], b["server_share"]["median"]) >= SATURATED
        note = f"rate {short(by_rate)}, CPU time {short(by_cpu)}"
        return (by_rate if saturated else by_cpu), note

    return measure


def _tail(scenario: str) -> Callable[[dict], tuple[float, str] | None]:
    def measure(known: dict):
        found = known.get("race", {}).get("results", {}).get(scenario, {})
        if STARLING_URING not in found or "floor-uring" not in found:
            return None
        a, b = found[STARLING_URING]["p99_us"], found["floor-uring"]["p99_us"]
        return paired_ratio(a, b)["median"], f"{short(a['median'])} against {short(b['median'])} µs"

    return measure


def _syscalls(known: dict):
    found = known.get("race", {}).get("results", {}).get("http-64", {}).get(STARLING_URING, {})
    return (found["syscalls"]["median"], "") if "syscalls" in found else None


def _cost(figure: str, scale: float = 1) -> Callable[[dict], tuple[float, str] | None]:
    def measure(known: dict):
        found = known.get("costs", {}).get("results", {}).get(f"http/{STARLING_URING}", {})
        return (found[figure]["median"] * scale, "") if figure in found else None

    return measure


def _micro(case: str) -> Callable[[dict], tuple[float, str] | None]:
    def measure(known: dict):
        found = known.get("micro", {}).get("results", {}).get(case, {}).get("starling")
        return (found["median"], "") if found else None

    return measure


def _micro_ratio(case: str, one: str, other_case: str, other: str):
    def measure(known: dict):
        cases = known.get("micro", {}).get("results", {})
        a, b = cases.get(case, {}).get(one), cases.get(other_case, {}).get(other)
        if not a or not b or not b["median"]:
            return None
        return paired_ratio(a, b)["median"], f"{short(a['median'])} against {short(b['median'])}"

    return measure


def _at_least(what: str, limit: float, measure, unit: str = "×") -> Target:
    return Target(what, limit, True, unit, measure)


def _at_most(what: str, limit: float, unit: str, measure) -> Target:
    return Target(what, limit, False, unit, measure)


TARGETS = [
    *(_at_least(f"HTTP keep-alive, {n} connections: of {name}", limit,
                _ratio(f"http-{n}", STARLING_URING, other))
      for n in (64, 256)
      for name, other, limit in (("the io_uring floor", "floor-uring", 0.97),
                                 ("hyper", "hyper", 1.25), ("nginx", "nginx", 1.4))),
    *(_at_most(f"HTTP keep-alive, {n} connections: p99 of the floor's", 1.10, "×",
               _tail(f"http-{n}")) for n in (64, 256)),
    _at_least("HTTP pipelined by 16: of the io_uring floor", 0.75,
              _ratio("http-pipelined", STARLING_URING, "floor-uring")),
    _at_least("HTTP pipelined by 16: of hyper", 2,
              _ratio("http-pipelined", STARLING_URING, "hyper")),
    _at_least("HTTP on epoll, 64 connections: of the epoll floor", 0.97,
              _ratio("http-64", STARLING_EPOLL, "floor-epoll")),
    *(_at_least(f"TCP echo {size}: of {name}", limit, _ratio(scenario, STARLING_URING, other))
      for size, scenario, tokio in (("64 B", "echo-64", 1.05), ("4 KiB", "echo-4096", 1.15))
      for name, other, limit in (("the io_uring floor", "floor-uring", 0.98),
                                 ("Tokio", "tokio", tokio))),
    _at_most("syscalls an answer, io_uring, 64 connections", 0.1, "", _syscalls),
    _at_most("spawn and join", 30, "ns", _micro("spawn")),
    _at_most("yield", 5, "ns", _micro("yield")),
    _at_most("await a child", 5, "ns", _micro("await")),
    _at_most("ready future, then", 2, "ns", _micro("then")),
    _at_most("bounded channel, send and receive", 6, "ns", _micro("channel")),
    _at_most("oneshot", 8, "ns", _micro("oneshot")),
    _at_most("timer insert, 1,000,000 armed", 12, "ns", _micro("timer-insert")),
    _at_most("timer cancel, 1,000,000 armed", 8, "ns", _micro("timer-cancel")),
    _at_most("timer fire, 1,000,000 armed", 30, "ns", _micro("timer-fire")),
    _at_most("submit_to round trip, both spinning", 300, "ns", _micro("message-spinning")),
    _at_most("submit_to, 128 in flight, a message", 40, "ns", _micro("message-batched")),
    _at_most("submit_to to a sleeping shard, of a bare eventfd wake-up", 1.1, "×",
             _micro_ratio("message-sleeping", "starling", "message-sleeping", "limit")),
    _at_most("memory of a parked task", 120, "B", _micro("task-memory")),
    _at_most("memory of an idle connection", 512, "B", _cost("bytes_per_connection")),
    _at_most("idle RSS, one shard", 3, "MiB", _cost("rss_kib", 1 / 1024)),
    _at_most("start to first answer", 5, "ms", _cost("start_ms")),
    _at_most("idle CPU", 0.1, "%", _cost("idle_percent")),
    _at_least("two shards against one, CPU-bound handler", 1.95,
              _micro_ratio("cpu-bound-1", "starling", "cpu-bound-2", "starling")),
]


def report(known: dict) -> list[str]:
    rows = []
    for target in TARGETS:
        found = target.measure(known)
        if found is None:
            rows.append([target.what, _limit(target), "not measured", "", ""])
            continue
        value, note = found
        met = value >= target.limit if target.at_least else value <= target.limit
        rows.append([target.what, _limit(target), f"{short(value)} {target.unit}".strip(), note,
                     "yes" if met else "**no**"])
    head = ["what", "to reach", "measured", "", "reached"]
    return ["## What was to be reached", "",
            f"Ratios are medians of the rounds' pairs: of throughput where both servers were the limit "
            f"(busy {100 * SATURATED:.0f} % or more), else of CPU time an answer.", "",
            "| " + " | ".join(head) + " |", "| --- | ---: | ---: | --- | --- |",
            *("| " + " | ".join(row) + " |" for row in rows), ""]


def _limit(target: Target) -> str:
    return f"{'≥' if target.at_least else '≤'} {target.limit:g} {target.unit}".strip()
