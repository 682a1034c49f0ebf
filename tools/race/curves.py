"""`./workshop race --curves`: how costs grow with connections, bodies, timers, tasks and shards."""
from __future__ import annotations

from workshop_lib.common import WorkshopError, say

from . import micro, model, svg
from .contest import ready
from .figures import short, summary
from .page import head_lines, table
from .programs import Programs
from .running import Cores, Running
from .servers import ECHO, HTTP, Server

CONNECTIONS = (1, 4, 16, 64, 256, 1000, 4000, 10_000)
BODIES = (1, 16, 64, 256, 1024, 4096, 1 << 20)
COUNTS = (1, 10, 100, 1000, 10_000, 100_000, 1_000_000)
LANES = (2, 8, 16, 32, 64, 128)
HTTP_KEYS = ("starling-uring", "starling-epoll", "floor-uring", "hyper", "nginx")
ECHO_KEYS = ("starling-uring", "floor-uring", "tokio")
MICRO_CURVES = ("timer-insert", "timer-cancel", "timer-fire", "task-memory", "spawn-many")
PARTS = ("connections", "bodies", "echo", "counts", "shards")


def needed() -> list[str]:
    servers = [s.needs for s in HTTP if s.key in HTTP_KEYS] + [s.needs for s in ECHO
                                                               if s.key in ECHO_KEYS]
    return list(dict.fromkeys(["starling_load", *servers, *micro.needed()]))


def run(programs: Programs, rounds: int, seconds: float, only: list[str], quick: bool) -> dict:
    """{part: {series: {x: summary}}}"""
    parts = [p for p in PARTS if not only or any(p.startswith(word) for word in only)]
    if not parts:
        raise WorkshopError(f'no curve is called "{only[0]}"', "there are " + ", ".join(PARTS))
    if "starling_load" not in programs.paths and set(parts) & {"connections", "bodies", "echo"}:
        raise WorkshopError("the load generator is not there: "
                            + programs.left_out.get("starling_load", "not built"))
    rounds = max(1, min(rounds, 3))
    results: dict[str, dict] = {}
    few = slice(None, None, 3) if quick else slice(None)
    if "connections" in parts:
        results["connections"] = _served(
            programs, [s for s in HTTP if s.key in HTTP_KEYS], CONNECTIONS[few], rounds, seconds,
            lambda n: ("--connections", str(n)))
    if "bodies" in parts:
        results["bodies"] = _served(
            programs, [s for s in HTTP if s.posts], BODIES[few], rounds, seconds,
            lambda n: ("--connections", "64" if n < 1 << 20 else "8", "--path", "/echo",
                       "--body", str(n)))
    if "echo" in parts:
        results["echo"] = _served(
            programs, [s for s in ECHO if s.key in ECHO_KEYS], BODIES[few], rounds, seconds,
            lambda n: ("--connections", "64" if n < 1 << 20 else "8", "--size", str(n)))
    if "counts" in parts:
        results["counts"] = _counted(programs, rounds, COUNTS[few])
    if "shards" in parts:
        results["shards"] = _sharded(programs, rounds, seconds)
    return results


def _served(programs: Programs, servers: list[Server], xs, rounds: int, seconds: float,
            load) -> dict:
    """CPU time of the server, and throughput: {server: {x: {"cpu_ns", "rate", "p99_us"}}}"""
    generator, cores = programs.paths["starling_load"], Cores()
    found: dict[str, dict[int, dict[str, list[float]]]] = {}
    failed: set[str] = set()
    for x in xs:
        for _ in range(rounds):
            for server in ready(programs, servers, failed):
                try:
                    with Running(programs.paths[server.needs], server, cores) as running:
                        result = running.load(generator, load(x), seconds)
                except WorkshopError as error:
                    programs.left_out[f"{server.title} from {x:,} on"] = str(error)
                    failed.add(server.key)
                    continue
                point = found.setdefault(server.title, {}).setdefault(x, {})
                for name, value in (("cpu_ns", result["server_cpu_ns_per_answer"]),
                                    ("rate", result["rate"]),
                                    ("p99_us", result["latency_us"]["p99"])):
                    point.setdefault(name, []).append(value)
        say(f"{x:>9,}  " + "   ".join(f"{title} {short(points[x]['rate'][0] / 1e3)} k/s"
                                      for title, points in found.items() if x in points))
    return {title: {str(x): {name: summary(values) for name, values in point.items()}
                    for x, point in points.items()} for title, points in found.items()}


def _counted(programs: Programs, rounds: int, xs) -> dict:
    """{case: {contender: {count: summary}}}"""
    results: dict[str, dict] = {}
    for case in MICRO_CURVES:
        for contender in micro.CONTENDERS:
            if (contender.program not in programs.paths
                    or case not in micro.cases_of(programs, contender)):
                continue
            # Memory comes in pages: below a thousand tasks there is nothing to see.
            points = {str(x): summary([micro.one(programs, contender, case, str(x), 1)
                                       for _ in range(rounds)])
                      for x in xs if case != "task-memory" or x >= 1000}
            results.setdefault(case, {})[contender.title] = points
            say(f"{case:14} {contender.title:10} "
                + "  ".join(short(p["median"]) for p in points.values()))
    return results


def _sharded(programs: Programs, rounds: int, seconds: float) -> dict:
    """One shard and two: HTTP, messages; and what the model needs."""
    results: dict[str, dict] = {}
    starling = micro.CONTENDERS[0]
    if starling.program in programs.paths:
        for case in ("lane-poll", "lane-memory"):
            results[case] = {str(n): summary([micro.one(programs, starling, case, str(n), 1)
                                              for _ in range(rounds)]) for n in LANES}
        for case in ("message-spinning", "message-batched"):
            results[case] = {"2": summary([micro.one(programs, starling, case, "", 2)
                                           for _ in range(rounds)])}
    if "http_echo" in programs.paths:
        results["http"] = {}
        for shards in (1, 2):
            server = Server(f"shards-{shards}", f"Starling, {shards} shards", "http", "http_echo",
                            lambda port, n=shards: ["--port", str(port), "--shards", str(n)])
            rates = []
            for _ in range(rounds):
                with Running(programs.paths["http_echo"], server, Cores(shards)) as running:
                    rates.append(running.load(programs.paths["starling_load"],
                                              ("--connections", "64"), seconds)["rate"])
            results["http"][str(shards)] = summary(rates)
            say(f"{shards} shards: {short(results['http'][str(shards)]['median'] / 1e3)} k/s")
    return results


def report(part: dict, pictures: dict[str, str]) -> list[str]:
    results = part["results"]
    lines = ["## How costs grow", "", *head_lines({**part["head"], "versions": {}})]
    for name, title, unit in (
            ("connections", "HTTP: CPU time of the server an answer", "connections"),
            ("bodies", "HTTP POST /echo: CPU time of the server an answer", "bytes of body"),
            ("echo", "TCP echo: CPU time of the server an answer", "bytes of message")):
        if name in results:
            lines += _served_lines(results[name], name, title, unit, pictures)
    for case, found in results.get("counts", {}).items():
        about = next(c for c in micro.CASES if c.key == case)
        x_unit = "armed timers" if case.startswith("timer") else "tasks"
        lines += _lines(found, f"curve-{case}", about.title.split(",")[0], x_unit,
                        f"{about.unit} each", pictures)
    return lines + _sharded_lines(results.get("shards", {}))


def _served_lines(found: dict, name: str, title: str, unit: str,
                  pictures: dict[str, str]) -> list[str]:
    picked = {series: {x: point["cpu_ns"] for x, point in points.items()}
              for series, points in found.items()}
    rows = []
    for series, points in found.items():
        rows.append([f"{series}, k/s"] + [short(p["rate"]["median"] / 1e3) for p in points.values()])
        rows.append([f"{series}, p99 µs"] + [short(p["p99_us"]["median"])
                                             for p in points.values()])
    xs = list(next(iter(found.values()), {}))
    return (_lines(picked, f"curve-{name}", title, unit, "ns an answer", pictures)
            + table([unit, *(f"{int(x):,}" for x in xs)], rows))


def _lines(found: dict, file: str, title: str, x_unit: str, y_unit: str,
           pictures: dict[str, str]) -> list[str]:
    series = [svg.Line(name, [(float(x), max(p["median"], 0.1)) for x, p in points.items()])
              for name, points in found.items()]
    if not series:
        return []
    pictures[file] = svg.curves(title, x_unit, y_unit, series)
    xs = list(next(iter(found.values())))
    if file == "curve-timer-fire":
        title += " (a few: the price of a whole turn)"
    return [f"### {title}", "", f"![{title}]({file}.svg)", "",
            *table([f"{y_unit}, by {x_unit}", *(f"{int(x):,}" for x in xs)],
                   [[name, *(short(p["median"]) for p in points.values())]
                    for name, points in found.items()])]


def _sharded_lines(found: dict) -> list[str]:
    lines: list[str] = []
    if "http" in found:
        one, two = found["http"]["1"]["median"], found["http"]["2"]["median"]
        lines += ["### One shard and two", "",
                  f"HTTP, 64 connections: {short(one / 1e3)} and {short(two / 1e3)} thousand answers a "
                  "second. Where the machine has no core left for the generator, two shards share "
                  "theirs with it.", ""]
    if "lane-poll" in found and "message-batched" in found:
        lines += table(["shards", *found["lane-poll"]],
                       [["ns to look at all idle lanes",
                         *(short(p["median"]) for p in found["lane-poll"].values())],
                        ["KiB of all lanes",
                         *(short(p["median"] / 1024) for p in found["lane-memory"].values())]])
        costs = model.from_measured(
            found["message-spinning"]["2"]["median"], found["message-batched"]["2"]["median"],
            {int(n): p["median"] for n, p in found["lane-poll"].items()},
            {int(n): p["median"] for n, p in found["lane-memory"].items()})
        lines += model.report(costs)
    return lines
