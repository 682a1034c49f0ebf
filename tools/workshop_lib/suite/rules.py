"""Rules about the tree itself: layers, generated steps, the data files."""
from __future__ import annotations

import os
import re
import shutil
import subprocess
import unittest
from pathlib import Path

from .. import generate
from ..common import LAYERS, ROOT, SOLUTIONS, STEPS, TESTS, present_layers, relative
from ..generate import exercise_key
from ..route import two_day_exercises
from .report import Report
from .trees import Trees, build, exercises_of

INCLUDE = re.compile(r"^\s*#\s*include\s*([<\"])([^>\"]+)[>\"]", re.M)
LINES_MAX = 400  # Of one file: worth a remark.
CODE_AIM = 5000  # Of all layers together, without comments, blank lines, demos and http_echo.
# What an operation or a service has to have: documented once, in operation.hh and env.hh.
PROTOCOL = re.compile(r"Member (ready|start|stopped|finish|kSlot|kName)\b|= ?(default|delete)\b")
# Support headers that solutions must not need.
SUPPORT = {p.name for p in (TESTS / "support" / "include" / "starling").glob("*.hh")}


def layers(report: Report, trees: Trees) -> None:
    """File names are disjoint, includes point downwards, every header compiles alone."""
    home: dict[str, str] = {}
    sources: dict[str, str] = {}
    for layer in LAYERS:
        for path in sorted((SOLUTIONS / layer).rglob("*")):
            if path.suffix == ".hh":
                other = home.setdefault(path.name, layer)
                report.check(other == layer, f"{relative(path)}: {other} has a header of this name")
            elif path.suffix == ".cc" and path.parent.name == "src":
                other = sources.setdefault(path.name, layer)
                report.check(other == layer, f"{relative(path)}: {other} has a source of this name")
    for layer in LAYERS:
        for path in sorted((SOLUTIONS / layer).rglob("*")):
            if path.suffix in generate.SUFFIXES:
                wrong = _wrong_includes(path, layer, home)
                report.check(not wrong, f"{relative(path)}: {wrong}")
                lines = path.read_text().count("\n")
                if lines > LINES_MAX:
                    report.note(f"{relative(path)} has {lines} lines")
    for layer in present_layers():
        _listed(report, layer)
    code = sum(_code_lines(path) for layer in LAYERS for path in (SOLUTIONS / layer).rglob("*")
               if path.suffix in generate.SUFFIXES and path.parent != SOLUTIONS / layer)
    report.note(f"the reference has {code} lines of code; the aim is {CODE_AIM}")
    tree = trees.ladder()
    build(tree, report, {f"starling_solutions_{layer}_verify_interface_header_sets":
                         f"a header of {layer} alone" for layer in present_layers()})
    report.ok()


def _wrong_includes(path: Path, layer: str, home: dict[str, str]) -> str:
    for bracket, name in INCLUDE.findall(path.read_text()):
        if not name.startswith("starling/"):
            if bracket == '"':
                return f'includes "{name}"; write <starling/...>'
            continue
        header = name.removeprefix("starling/")
        if bracket == '"':
            return f'includes "{name}"; write <{name}>'
        if header not in home:
            extra = " (it belongs to the tests)" if header in SUPPORT else ""
            return f"includes <{name}>, which no layer has{extra}"
        if home[header] > layer:
            return f"includes <{name}> of the later layer {home[header]}"
    return ""


def _code_lines(path: Path) -> int:
    lines = (line.strip() for line in path.read_text().splitlines())
    return sum(bool(line) and not line.startswith("//") for line in lines)


def docs(report: Report, trees: Trees) -> None:
    """Every public symbol of the layers has a Doxygen comment."""
    if not shutil.which("doxygen"):
        report.skip("all of it", "doxygen is missing")
        return
    settings = (ROOT / "docs" / "Doxyfile").read_text() + "\nGENERATE_HTML = NO\nINPUT = solutions\n"
    done = subprocess.run(["doxygen", "-"], input=settings, cwd=ROOT, capture_output=True, text=True,
                          check=False)
    warnings = sorted({line.replace(f"{ROOT}/", "") for line in done.stderr.splitlines()
                       if re.match(r"\S+:\d+: warning", line) and not PROTOCOL.search(line)})
    for warning in warnings:
        report.fail(warning, "Remedy: a /// comment in front of it, or ///< behind it")
    headers = {warning.split(":")[0] for warning in warnings}
    report.ok(sum(relative(p) not in headers for p in SOLUTIONS.rglob("*.hh")))


def _listed(report: Report, layer: str) -> None:
    """layer.cmake names every file there is, so that none is forgotten."""
    text = re.sub(r"#.*", "", (TESTS / layer / "layer.cmake").read_text())
    words = set(re.findall(r"[\w./-]+", text))
    files = [*(SOLUTIONS / layer).rglob("*"), *(TESTS / layer).glob("*_test.cc"),
             *(TESTS / layer / "bench").glob("*.cc")]
    there = {path.name for path in files} | {p.name for p in (TESTS / layer).iterdir()}
    for word in sorted(words):
        if Path(word).suffix in generate.SUFFIXES:
            report.check(word in there or (TESTS / layer / word).is_file(),
                         f"tests/{layer}/layer.cmake names {word}, which does not exist")
    for path in sorted(files):
        if path.suffix in generate.SUFFIXES:
            report.check(path.name in words, f"{relative(path)} is not in tests/{layer}/layer.cmake")


def steps(report: Report, trees: Trees) -> None:
    """Committed steps are what the generator writes. A learner's edits are not judged."""
    strict = os.environ.get("STARLING_MAINTAINER") == "1"
    made = generate.make_all()
    problems, learners = generate.stale_files(made, STEPS, strict)
    for problem in problems:
        report.fail(problem, "Remedy: ./workshop generate")
    report.ok(max(0, sum(len(step.files) for step in made) - len(problems) - len(learners)))
    if learners:
        report.note(f"{len(learners)} files of steps/ were edited by a learner; not judged")
    known = {"{}.{}".format(*e) for layer in LAYERS if (SOLUTIONS / layer).is_dir()
             for e in exercises_of(layer)}
    present = {int(layer[:2]) for layer in present_layers()}
    for exercise in sorted(two_day_exercises(), key=exercise_key):
        if exercise_key(exercise)[0] in present:
            report.check(exercise in known, f"tools/two_day.txt names {exercise}, which does not exist")


def tools(report: Report, trees: Trees) -> None:
    """The generator's own tests."""
    result = unittest.TestResult()
    suite = unittest.defaultTestLoader.discover(str(TESTS / "tools"))
    suite.run(result)
    wrong = result.failures + result.errors
    for test, trace in wrong:
        report.fail(test.id(), trace)
    report.ok(result.testsRun - len({test.id() for test, _ in wrong}))
