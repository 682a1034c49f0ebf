"""`./workshop test`: runs the parts in order and ends with `N passed, N failed`."""
from __future__ import annotations

import argparse
import os
import time

from .. import packages
from ..common import (SOLUTIONS, WorkshopError, chosen_layers, layer_of, present_layers, processors,
                      red, say)
from . import mutants, reference, rules, starters, whole
from .report import Report
from .trees import Trees

# In order: what is quick and tells most first; parts that share a build tree behind one another.
PARTS = {
    "tools": rules.tools,
    "steps": rules.steps,
    "layers": rules.layers,
    "docs": rules.docs,
    "asan": reference.asan,
    "starters": starters.starters,
    "ladder": starters.ladder,
    "mutants": mutants.mutants,
    "alternatives": mutants.alternatives,
    "release": reference.release,
    "benches": reference.benches,
    "demos": reference.demos,
    "install": whole.install,
    "clients": reference.clients,
    "tsan": reference.tsan,
    "stack": whole.stack,
    "second": whole.second,
    "gcc": reference.gcc,
}


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="workshop test", description=__doc__)
    parser.add_argument("--only", nargs="+", metavar="PART", help=" ".join(PARTS))
    parser.add_argument("--layers", nargs="+", metavar="NN", default=[], help="only these layers")
    parser.add_argument("--jobs", type=int, default=processors())
    parser.add_argument("--list", action="store_true", help="list the parts")
    parser.add_argument("--yes", action="store_true", help="install what is missing unasked")
    options = parser.parse_args(arguments)
    if options.list:
        for name, function in PARTS.items():
            say(f"{name:<13} {(function.__doc__ or '').strip().splitlines()[0] if function.__doc__ else ''}")
        return 0
    unknown = [name for name in options.only or [] if name not in PARTS]
    if unknown:
        raise WorkshopError(f'there is no part "{unknown[0]}"', "./workshop test --list")
    chosen_layers.extend(layer_of(step) for step in options.layers)
    for layer in present_layers():
        if not (SOLUTIONS / layer).is_dir():
            raise WorkshopError(f"solutions/{layer} is missing, and the suite tests the reference",
                                f"git checkout -- solutions/{layer}")
    packages.ensure(options.yes or bool(os.environ.get("CI")), for_suite=True)
    why = packages.io_uring_state()
    if why:
        say(f"{why}: epoll is used instead, and the cases about io_uring itself are skipped.")
    return _run(options.only or list(PARTS), Trees(options.jobs))


def _run(names: list[str], trees: Trees) -> int:
    started = time.monotonic()
    reports = []
    for name in names:
        report = Report(name)
        try:
            PARTS[name](report, trees)
        except WorkshopError as error:
            report.fail("stopped", f"{error}\nRemedy: {error.remedy}" if error.remedy else str(error))
        except Exception as error:  # A bug of the suite is a failure, not the end of the others.
            report.fail(f"the suite itself: {type(error).__name__}: {error}", _traceback(error))
        report.finish()
        reports.append(report)
    failures = [f"{r.part}: {name}" for r in reports for name in r.failures]
    skipped = sum(len(r.skips) for r in reports)
    say()
    for failure in failures:
        say(red(f"FAILED {failure}"))
    say(f"The suite took {(time.monotonic() - started) / 60:.1f} minutes"
        + (f"; {skipped} cases were skipped, with the reasons above." if skipped else "."))
    say(f"{sum(r.passed for r in reports)} passed, {len(failures)} failed")
    return 1 if failures else 0


def _traceback(error: Exception) -> str:
    import traceback
    return "".join(traceback.format_exception(error))
