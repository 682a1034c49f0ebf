"""The race itself: every scenario on every server, rounds interleaved; and what each server costs."""
from __future__ import annotations

import time

from workshop_lib.common import WorkshopError, say

from .figures import short, summary
from .programs import Programs
from .running import Cores, Running
from .servers import ECHO, HTTP, SCENARIOS, Scenario, Server

IDLE_CONNECTIONS = 1000
IDLE_WATCH_S = 1.0
SYSCALL_S = 0.7


def needed(scenarios: list[Scenario]) -> list[str]:
    programs = [server.needs for scenario in scenarios for server in scenario.servers]
    return list(dict.fromkeys(["starling_load", *programs]))


def chosen(only: list[str]) -> list[Scenario]:
    """Those whose key starts with one of the words; all without a word."""
    found = [s for s in SCENARIOS if not only or any(s.key.startswith(word) for word in only)]
    if not found:
        raise WorkshopError(f'no scenario is called "{only[0]}"',
                            "there are " + ", ".join(s.key for s in SCENARIOS))
    return found


def race(programs: Programs, scenarios: list[Scenario], rounds: int, seconds: float,
         without: set[str]) -> dict:
    """{scenario: {server: {"rate": summary, "cpu_ns": ..., ...}}}"""
    generator = programs.paths.get("starling_load")
    if generator is None:
        raise WorkshopError("the load generator is not there: "
                            + programs.left_out.get("starling_load", "not built"))
    cores = Cores()
    samples: dict[str, dict[str, dict[str, list[float]]]] = {s.key: {} for s in scenarios}
    failed: set[tuple[str, str]] = set()
    # Rounds outside: what lasts for half a minute does not decide about a whole scenario.
    for round_ in range(rounds):
        say(f"Round {round_ + 1} of {rounds}")
        for scenario in scenarios:
            for server in ready(programs, scenario.servers, without):
                if (scenario.key, server.key) in failed:
                    continue
                found = samples[scenario.key].setdefault(server.key, {})
                try:
                    _one_run(programs, server, cores, scenario, seconds, round_ == 0, found)
                except WorkshopError as error:
                    programs.left_out[f"{scenario.key}: {server.title}"] = str(error)
                    samples[scenario.key].pop(server.key)
                    failed.add((scenario.key, server.key))
    results = {scenario: {server: {name: summary(values) for name, values in found.items()}
                          for server, found in servers.items()}
               for scenario, servers in samples.items()}
    for scenario in scenarios:
        _say_results(scenario, results[scenario.key])
    return results


def ready(programs: Programs, servers: list[Server], without: set[str]) -> list[Server]:
    return [s for s in servers if s.needs in programs.paths and s.key not in without]


def _one_run(programs: Programs, server: Server, cores: Cores, scenario: Scenario, seconds: float,
             count_syscalls: bool, found: dict[str, list[float]]) -> None:
    generator = programs.paths["starling_load"]
    with Running(programs.paths[server.needs], server, cores) as running:
        load = running.load(generator, scenario.load, seconds)
        figures = {"rate": load["rate"], "cpu_ns": load["server_cpu_ns_per_answer"],
                   "server_share": load["server_cpu_share"],
                   "generator_share": load["generator_cpu_share"],
                   "user_share": load["user_share"],
                   **{f"{name}_us": value for name, value in load["latency_us"].items()}}
        if count_syscalls:
            calls = running.syscalls_per_answer(generator, scenario.load, SYSCALL_S)
            if calls is not None:
                figures["syscalls"] = calls
    for name, value in figures.items():
        found.setdefault(name, []).append(value)


def _say_results(scenario: Scenario, results: dict) -> None:
    say(f"\n{scenario.title}")
    for server in scenario.servers:
        figures = results.get(server.key)
        if figures:
            say(f"  {server.title:20} {short(figures['rate']['median'] / 1e3):>7} k/s"
                f"  {short(figures['cpu_ns']['median']):>7} ns CPU"
                f"  p99 {short(figures['p99_us']['median']):>7} us")


def costs(programs: Programs, rounds: int, without: set[str]) -> dict:
    """Start, memory and idle CPU of every server: {"http/starling-uring": {"start_ms": ...}}."""
    say("\nStart, memory, idle")
    cores = Cores()
    samples: dict[str, dict[str, list[float]]] = {}
    for _ in range(rounds):
        for server in ready(programs, HTTP + ECHO, without):
            with Running(programs.paths[server.needs], server, cores) as running:
                memory = running.memory()
                before = running.cpu_s()
                time.sleep(IDLE_WATCH_S)
                idle = (running.cpu_s() - before) / IDLE_WATCH_S
                per_connection = running.memory_per_connection(IDLE_CONNECTIONS)
            figures = {"start_ms": running.first_answer_ms, "rss_kib": memory["rss"] / 1024,
                       "anonymous_kib": memory["anonymous"] / 1024, "idle_percent": 100 * idle,
                       "bytes_per_connection": per_connection}
            for name, value in figures.items():
                samples.setdefault(f"{server.mode}/{server.key}", {}).setdefault(
                    name, []).append(value)
    return {key: {name: summary(values) for name, values in found.items()}
            for key, found in samples.items()}
