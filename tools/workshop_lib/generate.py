"""solutions/ -> steps/: blanks the regions, never overwrites what a person wrote.

Each step has a `.generated.json`: the exercises with the file, title and function of every region
(a declaration has no stub, so no function), and a hash of every file as it was generated. A file whose
hash differs was edited; it is not ours to overwrite.
"""
from __future__ import annotations

import argparse
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from .common import LAYERS, SOLUTIONS, STEPS, WorkshopError, relative, say
from .regions import Region, Source, read_source

MANIFEST = ".generated.json"
SUFFIXES = {".hh", ".cc", ".h"}


@dataclass
class Step:
    """One generated step: relative file name -> text."""
    layer: str
    files: dict[str, str]
    manifest: dict

    def manifest_text(self) -> str:
        return json.dumps(self.manifest, indent=1, sort_keys=True) + "\n"


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def sources_of(directory: Path) -> list[Source]:
    paths = sorted(p for p in directory.rglob("*") if p.suffix in SUFFIXES and p.is_file())
    return [read_source(path) for path in paths]


def make_step(layer: str, mode: str = "step", solutions: Path = SOLUTIONS) -> Step:
    directory = solutions / layer
    files: dict[str, str] = {}
    exercises: dict[str, list] = {}
    for source in sources_of(directory):
        name = source.path.relative_to(directory).as_posix()
        files[name] = source.render(mode)
        for region in source.regions:
            place = [name, region.title, region.function]
            exercises.setdefault(region.exercise, []).append(place)
    exercises = dict(sorted(exercises.items(), key=lambda e: exercise_key(e[0])))
    manifest = {"exercises": exercises,
                "files": {name: digest(text) for name, text in files.items()}}
    return Step(layer, files, manifest)


def exercise_key(exercise: str) -> tuple[int, int]:
    step, number = exercise.split(".")
    return int(step), int(number)


def make_all(mode: str = "step", solutions: Path = SOLUTIONS) -> list[Step]:
    return [make_step(layer, mode, solutions) for layer in LAYERS if (solutions / layer).is_dir()]


def read_manifest(step_dir: Path) -> dict:
    try:
        return json.loads((step_dir / MANIFEST).read_text())
    except (OSError, ValueError):
        return {"exercises": {}, "files": {}}


def edited_files(step: Step, target: Path) -> list[Path]:
    """Files that differ from what we would write and from what we wrote last."""
    directory = target / step.layer
    recorded = read_manifest(directory)["files"]
    edited = []
    for name in sorted({*step.files, *recorded}):
        path = directory / name
        if not path.exists():
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        if text != step.files.get(name) and digest(text) != recorded.get(name):
            edited.append(path)
    return edited


def write_steps(steps: list[Step], target: Path, force: bool = False) -> int:
    """Writes what changed; returns how many files that were. All or nothing."""
    edited = [path for step in steps for path in edited_files(step, target)]
    if edited and not force:
        more = f" and {len(edited) - 1} more" if len(edited) > 1 else ""
        raise WorkshopError(
            f"{relative(edited[0])}{more} was edited by hand since it was generated; nothing was written",
            "move the change into solutions/ and restore the file (git checkout), or use --force")
    changed = 0
    for step in steps:
        directory = target / step.layer
        for name in read_manifest(directory)["files"]:
            if name not in step.files and (directory / name).exists():
                (directory / name).unlink()
                changed += 1
        for name, text in [*step.files.items(), (MANIFEST, step.manifest_text())]:
            path = directory / name
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
                changed += 1
    return changed


def stale_files(steps: list[Step], target: Path, strict: bool) -> tuple[list[str], list[Path]]:
    """(problems, files a learner edited). Edited files are problems only when `strict`."""
    problems, learners = [], []
    for step in steps:
        directory = target / step.layer
        if not (directory / MANIFEST).exists():
            problems.append(f"{relative(directory)} was never generated")
            continue
        edited = edited_files(step, target)
        recorded = read_manifest(directory)
        for name, text in step.files.items():
            path = directory / name
            if not path.exists():
                problems.append(f"{relative(path)} is missing")
            elif path in edited:
                if strict:
                    problems.append(f"{relative(path)} was edited by hand")
                else:
                    learners.append(path)
            elif path.read_text(encoding="utf-8") != text:
                problems.append(f"{relative(path)} is older than its solution")
        for name in recorded["files"]:
            if name not in step.files and (directory / name).exists():
                problems.append(f"{relative(directory / name)} has no solution any more")
        if recorded != step.manifest and not any(p.startswith(relative(directory)) for p in problems):
            problems.append(f"{relative(directory / MANIFEST)} is not what the generator writes")
    return problems, learners


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="workshop generate", description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only compare; status 1 when different")
    parser.add_argument("--strict", action="store_true", help="with --check: judge edited files too")
    parser.add_argument("--ladder", action="store_true", help="stubs in front of the real code")
    parser.add_argument("--out", type=Path, help="write there instead of into steps/")
    parser.add_argument("--force", action="store_true", help="overwrite edited files")
    parser.add_argument("step", nargs="*", help="only these steps")
    options = parser.parse_args(arguments)
    if options.ladder and not options.out:
        raise WorkshopError("--ladder does not go into steps/", "give a directory: --out DIR")
    if not SOLUTIONS.is_dir():
        raise WorkshopError("solutions/ is missing, so there is nothing to generate from",
                            "git checkout -- solutions")
    steps = make_all("ladder" if options.ladder else "step")
    if options.step:
        from .common import layer_of
        wanted = {layer_of(step) for step in options.step}
        steps = [step for step in steps if step.layer in wanted]
    target = options.out or STEPS
    if options.check:
        problems, learners = stale_files(steps, target, options.strict)
        for problem in problems:
            say(problem)
        if learners:
            say(f"{len(learners)} files were edited by a learner; not judged.")
        if problems:
            say("Remedy: ./workshop generate")
        return 1 if problems else 0
    changed = write_steps(steps, target, options.force)
    say(f"{relative(target)}: {changed} files written, "
        f"{sum(len(s.files) for s in steps)} in {len(steps)} steps up to date.")
    return 0
