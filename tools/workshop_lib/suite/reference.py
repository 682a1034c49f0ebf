"""The reference's own cases, in each configuration; benchmarks and demos run at all."""
from __future__ import annotations

import shutil
import subprocess

from .. import packages
from ..builds import Tree
from ..cases import Case, Result, list_cases, run_cases
from ..common import SOLUTIONS, TESTS, present_layers, run
from .report import Report
from .trees import Trees, build, test_targets


def report_results(report: Report, results: list[Result]) -> None:
    for result in results:
        name = f"{result.case.prefix}.{result.case.name}"
        if result.status == "skipped":
            why = [line for line in result.output.splitlines() if "kipped" in line or "needs" in line]
            report.skip(name, why[0].strip() if why else "the case skipped itself")
        elif result.ok:
            report.ok()
        else:
            report.fail(f"{name} ({result.status})", result.output)


def run_built(report: Report, tree: Tree, one: str, layers: set[str] | None = None) -> None:
    """Builds and runs all cases of the references ("solution") or steps ("step") of a tree."""
    targets = {t: what for t, what in test_targets(one).items()
               if layers is None or t[-2:] in layers}
    good = build(tree, report, targets)
    cases = [c for c in list_cases(tree.directory, one) if f"test_{one}_{c.prefix[-2:]}" in good]
    report_results(report, run_cases(cases, tree.jobs))


def asan(report: Report, trees: Trees) -> None:
    run_built(report, trees.asan(), "solution")


def tsan(report: Report, trees: Trees) -> None:
    run_built(report, trees.tsan(), "solution")


def release(report: Report, trees: Trees) -> None:
    tree = trees.release()
    build(tree, report, {"all": "the release build"})
    run_built(report, tree, "solution")


def gcc(report: Report, trees: Trees) -> None:
    compiler = packages.gcc()
    if compiler is None:
        report.skip("the references under GCC", "no GCC 13 or newer here")
        return
    run_built(report, trees.gcc(compiler), "solution")


def benches(report: Report, trees: Trees) -> None:
    """Every benchmark runs; the figures themselves are for quiet machines."""
    tree = trees.release()
    for layer in present_layers():
        program = f"bench_{layer}"
        if any((TESTS / layer / "bench").glob("*.cc")) and build(tree, report, {program: program}):
            done = _run(Case(f"bench{layer[:2]}", program,
                             (str(tree.directory / program), "--benchmark_min_time=0.001"), 120))
            report.check(done.ok and "ERROR OCCURRED" not in done.output, program, done.output)


def demos(report: Report, trees: Trees) -> None:
    """Every demo of the reference ends well by itself when nobody is at the keyboard."""
    tree = trees.release()
    for layer in present_layers():
        program = f"demo_solution_{layer[:2]}"
        if (SOLUTIONS / layer / "demo.cc").exists() and build(tree, report, {program: program}):
            done = _run(Case(f"demo{layer[:2]}", program, (str(tree.directory / program),), 60))
            report.check(done.ok, f"demo {layer} ({done.status})", done.output)


def _run(case: Case) -> Result:
    from ..cases import run_case
    return run_case(case)


def clients(report: Report, trees: Trees) -> None:
    """http_echo against real clients: tests/clients/run.py prints `ok NAME` and `FAILED NAME`."""
    script = TESTS / "clients" / "run.py"
    if not script.exists():
        return
    servers = {"release": trees.release(), "asan": trees.asan()}
    for name, tree in servers.items():
        if not build(tree, report, {"http_echo": "http_echo"}):
            continue
        python = shutil.which("python3") or "python3"
        command = [python, script, "--http-echo", tree.directory / "http_echo"]
        if name == "asan":
            command.append("--sanitized")
        try:
            done = run(command, quiet=True, timeout=400)
        except subprocess.TimeoutExpired as error:
            report.fail(f"clients of the {name} server hang", str(error.output or ""))
            continue
        lines = done.stdout.splitlines()
        passed = sum(line.startswith("ok ") for line in lines)
        failed = [line for line in lines if line.startswith("FAILED ")]
        report.ok(passed)
        for line in lines:
            if line.startswith("skipped "):
                report.skip(*line[8:].split(": ", 1))
        for line in failed:
            report.fail(f"{name}: {line[7:]}", "")
        if done.returncode != 0 and not failed or passed == 0:
            report.fail(f"{name}: tests/clients/run.py", done.stdout)
