"""The build trees of the suite, under build-test/. Each is configured and built once."""
from __future__ import annotations

import os
import shutil
from pathlib import Path

from .. import generate
from ..builds import Tree, first_errors
from ..common import ROOT, SOLUTIONS, TESTS, WorkshopError, present_layers
from ..regions import read_source
from .report import Report

TOP = Path(os.environ.get("STARLING_TEST_DIR", ROOT / "build-test")).absolute()
FAST = {"CMAKE_BUILD_TYPE": "Debug", "CMAKE_CXX_FLAGS_DEBUG": "-O0 -g0"}


class Trees:
    def __init__(self, jobs: int):
        self.jobs = jobs
        self._made: dict[str, Tree] = {}

    def _tree(self, name: str, **flags: str) -> Tree:
        if name not in self._made:
            steps = str(TOP / "starters")
            tree = Tree(TOP / name, flags={"STARLING_STEPS_DIR": steps, **flags}, jobs=self.jobs)
            tree.configure()
            self._made[name] = tree
        return self._made[name]

    def asan(self) -> Tree:
        """ASan and UBSan; its steps are fresh starters."""
        write_steps(TOP / "starters", "step")
        return self._tree("asan", CMAKE_BUILD_TYPE="Debug", STARLING_WERROR="ON",
                          CMAKE_CXX_FLAGS_DEBUG="-O0 -gline-tables-only",
                          STARLING_SANITIZE="address,undefined")

    def tsan(self) -> Tree:
        return self._tree("tsan", CMAKE_BUILD_TYPE="Debug", STARLING_SANITIZE="thread",
                          CMAKE_CXX_FLAGS_DEBUG="-O1 -gline-tables-only")

    def release(self) -> Tree:
        return self._tree("release", CMAKE_BUILD_TYPE="Release", STARLING_WERROR="ON")

    def gcc(self, compiler: str) -> Tree:
        return self._tree("gcc", CMAKE_BUILD_TYPE="Release", CMAKE_CXX_COMPILER=compiler)

    def ladder(self) -> Tree:
        write_steps(TOP / "ladder-steps", "ladder")
        return self._tree("ladder", STARLING_STEPS_DIR=str(TOP / "ladder-steps"), **FAST)

    def stack(self) -> Tree:
        write_steps(TOP / "stack-steps", "solved")
        return self._tree("stack", STARLING_STEPS_DIR=str(TOP / "stack-steps"),
                          STARLING_BASE="steps", **FAST)

    def alternative(self) -> Tree:
        return self._tree("alt", STARLING_ALT_DIR=str(TESTS / "alt"), **FAST)


def write_steps(target: Path, mode: str) -> None:
    """Generates into the build tree, where nothing is anyone's work."""
    if not SOLUTIONS.is_dir():
        raise WorkshopError("solutions/ is missing, and the suite tests it", "git checkout -- solutions")
    steps = generate.make_all(mode)
    generate.write_steps(steps, target, force=True)
    for stray in target.iterdir():
        if stray.is_dir() and stray.name not in {s.layer for s in steps}:
            shutil.rmtree(stray)


def build(tree: Tree, report: Report, targets: dict[str, str]) -> set[str]:
    """Builds `targets` (name -> what it is); reports those that fail; returns the good ones."""
    known = tree.targets()
    for name in [name for name in targets if name not in known]:
        report.fail(f"{targets[name]}: CMake left this out",
                    "a file that tests/NN_name/layer.cmake names is missing")
        targets = {n: what for n, what in targets.items() if n != name}
    done = tree.build(*targets, keep_going=True)
    if done.returncode == 0:
        _report_warnings(done.stdout, report)
        return set(targets)
    good = {name for name in targets if tree.is_built(name)}
    errors = first_errors(done.stdout)
    for name in targets:
        if name not in good:
            report.fail(f"{targets[name]} does not build", errors)
            errors = ""  # Once is enough.
    if good == set(targets):
        report.fail("the build failed", errors)
    return good


def _report_warnings(output: str, report: Report) -> None:
    if ": warning:" in output:
        report.fail("the build warns", first_errors(output))


def test_targets(one: str) -> dict[str, str]:
    """`one`: step or solution."""
    return {f"test_{one}_{layer[:2]}": f"the tests of {layer} ({one})" for layer in present_layers()}


def exercises_of(layer: str) -> list[tuple[int, int]]:
    directory = SOLUTIONS / layer
    found = {region.exercise for path in directory.rglob("*") if path.suffix in generate.SUFFIXES
             for region in read_source(path).regions}
    return sorted(generate.exercise_key(exercise) for exercise in found)
