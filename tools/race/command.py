"""`./workshop race`: options, and the order of things."""
from __future__ import annotations

import argparse
import datetime
import json
from pathlib import Path

from workshop_lib import packages
from workshop_lib.common import BUILD_RELEASE, ROOT, WorkshopError, relative, say

from . import contest, curves, micro, programs, report
from .running import Cores, commit, compiler, machine

DOCUMENTS = ROOT / "docs" / "benchmarks"
SCRATCH = ROOT / ".workshop" / "benchmarks"


def main(arguments: list[str]) -> int:
    options = _parse(arguments)
    if options.install:
        programs.install()
        return 0
    if options.report:
        return _write(Path(options.out or DOCUMENTS), {})
    packages.ensure(yes=False)
    built = programs.Programs()
    without = set(options.without)
    if Cores().shared:
        say("One core only: server and generator share it, so figures are lower than they could be.")
    results: dict = {}
    if options.micro:
        built.build(micro.needed(), options.build)
        results["micro"] = micro.run(built, options.rounds, options.only, options.quick)
    elif options.curves:
        built.build(curves.needed(), options.build)
        results["curves"] = curves.run(built, options.rounds, options.seconds, options.only,
                                       options.quick)
    else:
        scenarios = contest.chosen(options.only)
        built.build(contest.needed(scenarios), options.build)
        results["race"] = contest.race(built, scenarios, options.rounds, options.seconds, without)
        if not options.only:
            results["costs"] = contest.costs(built, min(options.rounds, 5), without)
    for name, why in built.left_out.items():
        say(f"Left out: {name}: {why}")
    tree = ROOT / options.build if options.build else BUILD_RELEASE
    head = {"date": datetime.date.today().isoformat(), "commit": commit(), "machine": machine(),
            "compiler": compiler(tree),
            "rounds": options.rounds, "seconds": options.seconds, "left_out": built.left_out,
            "versions": programs.versions()}
    out = options.out or (SCRATCH if options.quick or options.only else DOCUMENTS)
    return _write(Path(out), {name: {"head": head, "results": found}
                              for name, found in results.items()}, partly=bool(options.only))


def _parse(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="workshop race", description=__doc__)
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--micro", action="store_true", help="tasks, channels, timers, messages")
    kind.add_argument("--curves", action="store_true", help="how costs grow, and the model")
    kind.add_argument("--install", action="store_true", help="let apt install the peers")
    kind.add_argument("--report", action="store_true", help="write the pages again, measure nothing")
    parser.add_argument("--rounds", type=int, help="interleaved rounds (9)")
    parser.add_argument("--seconds", type=float, help="of each run (0.6)")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME",
                        help="scenarios or cases that start with NAME")
    parser.add_argument("--without", nargs="+", default=[], metavar="SERVER", help="leave out")
    parser.add_argument("--quick", action="store_true", help="1 round of 1 s: does it work?")
    parser.add_argument("--build", default="", metavar="DIR", help="another build tree of this one")
    parser.add_argument("--out", help="where to write (docs/benchmarks; with --quick or --only "
                                      f"{relative(SCRATCH)})")
    options = parser.parse_args(arguments)
    options.rounds = options.rounds or (1 if options.quick else 9)
    options.seconds = options.seconds or (1.0 if options.quick else 0.6)
    if options.rounds < 1 or options.seconds <= 0:
        raise WorkshopError("--rounds and --seconds must be above 0", "leave them away")
    return options


def _write(directory: Path, parts: dict, partly: bool = False) -> int:
    """Replaces the parts that were measured now (with --only: of them what was measured), and keeps
    everything else."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "results.json"
    known = json.loads(path.read_text()) if path.exists() else {}
    for name, part in parts.items():
        if partly and name in known:
            known[name]["results"].update(part["results"])
            again = known[name]["head"].setdefault("again", {})
            again.update({key: f"{part['head']['date']}, {part['head']['commit']}"
                          for key in part["results"]})
        else:
            known[name] = part
    if not known:
        raise WorkshopError(f"there is nothing to report in {relative(directory)}",
                            "./workshop race")
    path.write_text(json.dumps(_rounded(known), indent=1) + "\n")
    for written in report.write(directory, known):
        say(f"Wrote {relative(written)}")
    return 0


def _rounded(value):
    """Six significant digits are more than any of these figures has."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_rounded(inner) for inner in value]
    return value
