"""`./workshop`: builds every step, runs its cases, and shows how far the learner is."""
from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

from . import packages
from .builds import Tree, first_errors, workshop_tree
from .cases import SENTENCE, Case, Result, list_cases, run_cases
from .common import (LAYERS, STEPS, WorkshopError, bold, green, present_layers, red, relative, say)
from .generate import exercise_key, read_manifest
from .hint import section_of
from .output import said

RESULTS = ".workshop-results.json"
GIVEN = (99, 99)  # Cases of what is given come behind those of all exercises.
IN_FULL_MAX = 10  # Red cases of one exercise.
HANGS_MAX = 2  # Later cases need not wait so long to show that they hang, too.


class Step:
    """What is known about one step: its cases' results, or why it does not compile."""

    def __init__(self, layer: str):
        self.layer = layer
        self.number = layer[:2]
        self.manifest = read_manifest(STEPS / layer)["exercises"]
        self.results: list[Result] = []
        self.broken = ""

    @property
    def green(self) -> int:
        return sum(result.ok for result in self.results)

    @property
    def red(self) -> int:
        return len(self.results) - self.green

    @property
    def done(self) -> bool:
        return not self.broken and self.red == 0

    def exercises(self) -> list[str]:
        tested = {"{}.{}".format(*r.case.exercise) for r in self.results if r.case.exercise}
        return sorted({*self.manifest, *tested}, key=exercise_key)

    def is_green(self, exercise: str) -> bool:
        own = [r for r in self.results if r.case.exercise == exercise_key(exercise)]
        return not self.broken and bool(own) and all(r.ok for r in own)


def check_steps(tree: Tree, layers: list[str]) -> list[Step]:
    steps = [Step(layer) for layer in layers]
    known = tree.targets()
    for step in steps:
        if f"test_step_{step.number}" not in known:
            step.broken = (f"  CMake left it out, because a file is missing; "
                           f"git checkout -- steps/{step.layer} brings the files back")
    built = tree.build(*[f"test_step_{step.number}" for step in steps if not step.broken],
                       keep_going=True)
    cases: dict[str, list[Case]] = {}
    for case in list_cases(tree.directory, "step"):
        cases.setdefault(case.prefix, []).append(case)
    cache = _load(tree.directory / RESULTS)
    for step in steps:
        if step.broken:
            continue
        if built.returncode != 0 and not tree.is_built(f"test_step_{step.number}"):
            step.broken = _errors_of(step, built.stdout)
        else:
            step.results = _results(step, cases.get(f"step{step.number}", []), cache)
    (tree.directory / RESULTS).write_text(json.dumps(cache))
    return steps


def _load(path: Path) -> dict:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return {}


def _results(step: Step, cases: list[Case], cache: dict) -> list[Result]:
    """Runs the cases, unless this very program was run before."""
    if not cases:
        return []
    program = Path(cases[0].command[0])
    key = hashlib.sha256(program.read_bytes()).hexdigest()
    known = cache.get(step.layer, {})
    if known.get("program") == key and set(known["results"]) == {c.name for c in cases}:
        return [Result(c, *known["results"][c.name]) for c in cases]
    results = run_cases(cases, hangs_max=HANGS_MAX)
    cache[step.layer] = {"program": key,
                         "results": {r.case.name: [r.status, said(r.output, indent="")] for r in results}}
    return results


def _errors_of(step: Step, output: str) -> str:
    plain = re.sub(r"\x1b\[[0-9;]*[mK]", "", output)
    own = [line for line in plain.splitlines() if f"/{step.layer}/" in line and ": error:" in line
           or f"/{step.layer}/" in line and ": fatal error:" in line]
    return first_errors("\n".join(own) if own else plain, at_most=4)


def print_table(steps: list[Step]) -> None:
    say()
    say(bold(f"  {'step':<20}{'exercises':<44}green    red"))
    for step in steps:
        names = [(green(e + " ✓") if step.is_green(e) else red(e + " ·")) for e in step.exercises()]
        width = sum(len(e) + 4 for e in step.exercises())
        row = "  ".join(names) + " " * max(0, 44 - width)
        count = red("does not compile") if step.broken else f"{step.green:>5}  {step.red:>5}"
        say(f"  {step.layer:<20}{row}{count}")
    say()


def next_thing(step: Step) -> str:
    """The first thing to do in a step that is not green."""
    if step.broken:
        return f"{bold(step.layer)} does not compile:\n{step.broken}"
    for exercise in step.exercises():
        if step.is_green(exercise):
            continue
        failing = [r for r in step.results if not r.ok and r.case.exercise == exercise_key(exercise)]
        if not failing:
            continue
        chapter = STEPS / step.layer / "README.md"
        title = section_of(chapter.read_text(), exercise)[0] if chapter.exists() else ""
        lines = [f"Next: {bold('exercise ' + exercise)}, {title}"]
        lines += ["  in " + place for place in places_of(step, exercise)]
        lines.append(f"  first red case: {failing[0].case.name}")
        lines.append(f"  read \"{exercise}\" in {relative(STEPS / step.layer)}/README.md; "
                     f"check with ./workshop {step.number}")
        return "\n".join(lines)
    failing = [r.case.name for r in step.results if not r.ok]
    return f"Next: {step.layer}, where {failing[0]} is red; ./workshop {step.number} shows why"


def places_of(step: Step, exercise: str) -> list[str]:
    """Where there is something left to write: the stubs that are still there, and declarations, of
    which nobody can tell whether they are complete. All places if no stub is left."""
    left, done = [], []
    for name, title, function in step.manifest.get(exercise, []):
        path = STEPS / step.layer / name
        lines = path.read_text(errors="replace").splitlines() if path.exists() else []
        region = f"// BEGIN {exercise}: {title}"
        begin = next((n for n, line in enumerate(lines, 1) if line.strip() == region), 0)
        stub = re.compile(rf'\btodo(_soft)?\b.*"{re.escape(exercise)}", "{re.escape(function)}"')
        blank = next((n for n, line in enumerate(lines, 1) if stub.search(line)), 0)
        line = f":{blank or begin}" if blank or begin else ""
        place = f"{relative(path)}{line}  {function or title}"
        (left if blank or not function else done).append((place, blank))
    return [place for place, _ in (left if any(blank for _, blank in left) else left + done)]


def main(yes: bool) -> int:
    packages.ensure(yes)
    why = packages.io_uring_state()
    tree = workshop_tree()
    layers = present_layers()
    if not layers:
        raise WorkshopError("there are no steps here", "git checkout -- steps tests")
    if not (tree.directory / "build.ninja").exists():
        say("Configuring build/ (once), then building every step; the first time takes minutes.")
    tree.configure()
    steps = check_steps(tree, layers)
    print_table(steps)
    if why:
        say(f"{why}: epoll is used instead, and the cases about io_uring itself are skipped.\n")
    todo = next((step for step in steps if not step.done), None)
    if todo:
        say(next_thing(todo))
    else:
        say("Every step is green. ./workshop demo serves HTTP; "
            "-DSTARLING_BASE=steps stacks your own ten layers.")
    return 0


def check_one(layer: str, yes: bool) -> int:
    """`./workshop 05`: one step, and what its red cases say."""
    if layer not in present_layers():
        raise WorkshopError(f"{layer} has no tests here",
                            "git checkout -- tests" if layer in LAYERS else "")
    packages.ensure(yes)
    tree = workshop_tree()
    tree.configure()
    step = check_steps(tree, [layer])[0]
    print_failures(step)
    print_table([step])
    say(f"{step.layer} is green." if step.done else next_thing(step))
    return 0 if step.done else 1


def print_failures(step: Step) -> None:
    """What each red case of the first red exercise said. The cases of later ones are only named, for they
    may be red for the same reason; those that wait for a blank exercise share one paragraph."""
    told: list[tuple[tuple[int, int], str, list[str]]] = []  # (exercise, headline, what is under it)
    waiting: dict[tuple[tuple[int, int], str], list[str]] = {}
    failed: dict[tuple[int, int], list[tuple[str, str]]] = {}
    for result in step.results:
        if result.ok:
            continue
        text = said(result.output, indent="")
        blank = SENTENCE.search(text)  # What a half-written step says besides is no news.
        if blank:
            exercise = (int(blank[1]), int(blank[2]))
            waiting.setdefault((exercise, blank[0]), []).append(result.case.name)
        else:
            failed.setdefault(result.case.exercise or GIVEN, []).append((result.case.name, text))
    for (exercise, sentence), names in waiting.items():
        told.append((exercise, sentence, _some(names)))
    for exercise, cases in failed.items():
        in_full = cases[:IN_FULL_MAX] if exercise == min(failed) else []
        told += [(exercise, f"step{step.number}.{name}", text.splitlines()) for name, text in in_full]
        rest = [name for name, _ in cases[len(in_full):]]
        if rest:
            where = "what is given" if exercise == GIVEN else "{}.{}".format(*exercise)
            told.append((exercise, f"Also red in {where}, perhaps for the same reason:", _some(rest)))
    for _, headline, lines in sorted(told, key=lambda one: one[0]):
        say(red(headline))
        say("\n".join("    " + line for line in lines) + "\n")


def _some(names: list[str]) -> list[str]:
    return names[:3] + ([f"and {len(names) - 3} more"] if len(names) > 3 else [])
