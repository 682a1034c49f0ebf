"""Writes docs/benchmarks/results.md and its pictures from results.json."""
from __future__ import annotations

from pathlib import Path

from . import curves, micro, svg, targets
from .figures import paired_ratio, short, with_spread
from .page import head_lines, table
from .servers import ECHO, HTTP, SCENARIOS, Scenario


def write(directory: Path, known: dict) -> list[Path]:
    """The files written."""
    pictures: dict[str, str] = {}
    lines = ["# Measured", "", "Written by `./workshop race`; do not edit. What the tables mean, and how to "
             "repeat them: [how it is measured](README.md).", ""]
    if "race" in known:
        lines += _race(known["race"], pictures)
    if "costs" in known:
        lines += _costs(known["costs"])
    if "micro" in known:
        lines += micro.report(known["micro"], pictures)
    if "curves" in known:
        lines += curves.report(known["curves"], pictures)
    lines += targets.report(known)
    written = [directory / "results.json", directory / "results.md"]
    written[1].write_text("\n".join(lines).rstrip() + "\n")
    for name, text in pictures.items():
        written.append(directory / f"{name}.svg")
        written[-1].write_text(text)
    return written


def _race(part: dict, pictures: dict[str, str]) -> list[str]:
    lines = ["## HTTP and echo", "", *head_lines(part["head"])]
    for scenario in SCENARIOS:
        results = part["results"].get(scenario.key)
        if results:
            lines += _scenario(scenario, results, pictures)
    return lines


def _scenario(scenario: Scenario, results: dict, pictures: dict[str, str]) -> list[str]:
    floor = results.get("floor-uring")
    rows, items = [], []
    for server in scenario.servers:
        figures = results.get(server.key)
        if not figures:
            continue
        to_floor = short(paired_ratio(figures["rate"], floor["rate"])["median"]) if floor else "-"
        cpu_to_floor = (short(paired_ratio(floor["cpu_ns"], figures["cpu_ns"])["median"])
                        if floor else "-")
        calls = figures.get("syscalls")
        rows.append([server.title, with_spread(figures["rate"], 1e-3), to_floor,
                     with_spread(figures["cpu_ns"]), cpu_to_floor,
                     f"{100 * figures['server_share']['median']:.0f} / "
                     f"{100 * figures['generator_share']['median']:.0f} %",
                     f"{100 * figures['user_share']['median']:.0f} %",
                     short(figures["p50_us"]["median"]), short(figures["p99_us"]["median"]),
                     short(figures["p999_us"]["median"]),
                     short(calls["median"]) if calls else "-"])
        rate = figures["rate"]
        items.append(svg.Bar(server.title, rate["median"] / 1e3, rate["min"] / 1e3,
                             rate["max"] / 1e3, server.kind))
    pictures[scenario.key] = svg.bars(scenario.title, "thousand answers a second", items)
    return [f"### {scenario.title}", "",
            f"![{scenario.title}]({scenario.key}.svg)", "",
            *table(["server", "k/s", "of floor", "CPU ns an answer", "of floor",
                    "busy: server / generator", "of it in user space", "p50 µs", "p99 µs",
                    "p99.9 µs", "syscalls an answer"], rows)]


def _costs(part: dict) -> list[str]:
    lines = ["## Start, memory, idle", "", *head_lines({**part["head"], "versions": {}, "left_out": {}})]
    rows = []
    for server in HTTP + ECHO:
        figures = part["results"].get(f"{server.mode}/{server.key}")
        if figures:
            rows.append([f"{server.title} ({server.mode})", with_spread(figures["start_ms"]),
                         short(figures["rss_kib"]["median"] / 1024),
                         short(figures["anonymous_kib"]["median"] / 1024),
                         short(figures["bytes_per_connection"]["median"]),
                         short(figures["idle_percent"]["median"])])
    return lines + table(["server", "start to first answer, ms", "RSS, MiB", "its own pages, MiB",
                          "bytes a connection", "idle CPU, %"], rows)
