"""Known-wrong variants are caught by the case that is named; alternative designs pass.

Nothing is configured anew: the compile and link commands of the asan (or tsan) tree are repeated
with the patched files first on the include path, and only for what a patch touches.
"""
from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from ..builds import Tree, first_errors
from ..cases import Case, list_cases, run_case
from ..common import LAYERS, ROOT, SOLUTIONS, TESTS, present_layers, relative, run
from .report import Report
from .trees import TOP, Trees, build, test_targets

LEAST_PER_STEP = 3
HANG_SECONDS = 10


class BadPatch(Exception):
    pass


@dataclass
class Patch:
    path: Path
    layer: str
    caught_by: list[str] = field(default_factory=list)
    needs: str = ""
    files: list[str] = field(default_factory=list)

    @staticmethod
    def read(path: Path, layer: str) -> "Patch":
        patch = Patch(path, layer)
        text = path.read_text()
        head = re.split(r"^(?:diff --git|--- )", text, maxsplit=1, flags=re.M)[0]
        for names in re.findall(r"^Caught-by:\s*(.+)$", head, re.M):
            patch.caught_by += [name for name in re.split(r"[,\s]+", names) if name]
        needs = re.search(r"^Needs:\s*(\w+)", head, re.M)
        patch.needs = needs[1] if needs else ""
        patch.files = re.findall(r"^\+\+\+ b/(\S+)", text, re.M)
        return patch


def read_patches(layer: str, kind: str) -> list[Patch]:
    return [Patch.read(p, layer) for p in sorted((TESTS / layer / kind).glob("*.patch"))]


def apply(patch: Patch) -> Path:
    """A directory with patched copies of the files that the patch touches."""
    overlay = TOP / "patched" / patch.layer / f"{patch.path.parent.name}-{patch.path.stem}"
    shutil.rmtree(overlay, ignore_errors=True)
    if not patch.files:
        raise BadPatch("changes no file (paths look like b/solutions/...)")
    for name in patch.files:
        if not name.startswith(f"solutions/{patch.layer}/"):
            raise BadPatch(f"changes {name}, which is not of its layer")
        if not (ROOT / name).exists():
            raise BadPatch(f"changes {name}, which does not exist")
        (overlay / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, overlay / name)
    done = run(["git", "apply", "--recount", "--whitespace=nowarn", patch.path], cwd=overlay,
               quiet=True, env={"GIT_CEILING_DIRECTORIES": str(overlay.parent), "GIT_DIR": "/dev/null"})
    if done.returncode != 0:
        raise BadPatch("does not apply: " + done.stdout.strip())
    return overlay


class Recipe:
    """The commands with which a tree builds the tests of one layer."""

    def __init__(self, tree: Tree, layer: str):
        self.tree, self.layer = tree, layer
        self.target = f"test_solution_{layer[:2]}"
        self.library = f"starling_solutions_{layer}"
        self.compiles: dict[Path, tuple[str, str]] = {}  # source -> (object, command)
        for entry in json.loads((tree.directory / "compile_commands.json").read_text()):
            found = re.search(r"-o (\S+\.o)\b", entry["command"])
            if found and f"/{self.library}.dir/" in "/" + found[1]:
                self.compiles[Path(entry["file"])] = (found[1], entry["command"])
            if found and f"/{self.target}.dir/" in "/" + found[1] and "_pch" not in entry["file"]:
                self.compiles[Path(entry["file"])] = (found[1], entry["command"])
        commands = run(["ninja", "-C", tree.directory, "-t", "commands", self.target], quiet=True)
        self.link = commands.stdout.strip().splitlines()[-1]
        self.cases = {c.name: c for c in list_cases(tree.directory, "solution")
                      if c.prefix == f"solution{layer[:2]}"}

    @property
    def library_sources(self) -> list[Path]:
        return [s for s, (o, _) in self.compiles.items() if f"{self.library}.dir/" in o]

    def test_sources(self, names: list[str] | None) -> list[Path]:
        """The sources with the named cases (all when None), and those without any case."""
        chosen = []
        for source, (object_, _) in self.compiles.items():
            if f"{self.target}.dir/" not in object_:
                continue
            found = re.findall(r"\bTEST\w*\(\s*(\w+)\s*,\s*(\w+)\s*\)", source.read_text())
            inside = {f"{suite}.{case}" for suite, case in found}
            if names is None or not inside or inside & set(names):
                chosen.append(source)
        return chosen

    def make(self, overlay: Path, changed: list[str], names: list[str] | None) -> Path:
        """Builds the patched test executable; raises BadPatch when it does not compile."""
        headers_changed = any(not name.endswith(".cc") for name in changed)
        patched = {ROOT / name for name in changed}
        if headers_changed:
            compile_ = self.library_sources + self.test_sources(names)
        else:
            compile_ = [s for s in self.library_sources if s in patched]
        objects = {source: overlay / f"{source.stem}.o" for source in compile_}
        for source, object_ in objects.items():
            self._compile(source, object_, overlay)
        program = overlay / self.target
        self._link(objects, program, whole_library=headers_changed)
        return program

    def _compile(self, source: Path, object_: Path, overlay: Path) -> None:
        words = shlex.split(self.compiles[source][1])
        copy = overlay / source.relative_to(ROOT)
        words[words.index("-o") + 1] = str(object_)
        words[words.index("-c") + 1] = str(copy if copy.exists() else source)
        if "-MF" in words:
            words[words.index("-MF") + 1] = str(object_) + ".d"
        first = next(i for i, w in enumerate(words) if w.startswith(("-I", "-isystem")) or w == "-o")
        words.insert(first, f"-I{overlay}/solutions/{self.layer}/include")
        words = [w for w in words if w != "-Werror"]
        done = run(words, cwd=self.tree.directory, quiet=True)
        if done.returncode != 0:
            raise BadPatch("does not compile:\n" + first_errors(done.stdout))

    def _link(self, objects: dict[Path, Path], program: Path, whole_library: bool) -> None:
        words = shlex.split(re.sub(r"^: && |\s*&& :$", "", self.link))
        ours = {self.compiles[s][0]: str(o) for s, o in objects.items()}
        linked: list[str] = []
        for word in words:
            if whole_library and f"{self.target}.dir/" in word and word not in ours:
                continue  # A test source that was not compiled against the patched header.
            if whole_library and word.endswith(f"lib{self.library}.a"):
                continue
            linked.append(ours.get(word, word))
        out = linked.index("-o")
        linked[out + 1] = str(program)
        library_objects = [str(o) for s, o in objects.items() if s in self.library_sources]
        linked[out:out] = library_objects
        done = run(linked, cwd=self.tree.directory, quiet=True)
        if done.returncode != 0:
            raise BadPatch("does not link:\n" + first_errors(done.stdout))


def _run(case: Case, program: Path):
    command = (str(program), *case.command[1:])
    return run_case(Case(case.prefix, case.name, command, case.timeout, case.env),
                    timeout=HANG_SECONDS)


def try_mutant(patch: Patch, recipe: Recipe) -> str:
    """"" when caught as promised, else what went wrong."""
    try:
        if not patch.caught_by:
            raise BadPatch("names no case (Caught-by: Suite.Case)")
        for name in patch.caught_by:
            if name not in recipe.cases:
                raise BadPatch(f"names {name}, which is no case of {patch.layer}")
        program = recipe.make(apply(patch), patch.files, patch.caught_by)
        for name in patch.caught_by:
            result = _run(recipe.cases[name], program)
            if result.ok:
                return f"is not caught by {name}"
            if result.status == "timeout" and patch.needs != "timeout":
                return f"makes {name} hang instead of fail (Needs: timeout if that is the point)"
    except BadPatch as error:
        return str(error)
    return ""


def try_alternative(patch: Patch, recipe: Recipe) -> str:
    try:
        program = recipe.make(apply(patch), patch.files, None)
    except BadPatch as error:
        return str(error)
    for case in recipe.cases.values():
        result = _run(case, program)
        if not result.ok:
            return f"fails {case.name}\n{result.output}"
    return ""


def mutants(report: Report, trees: Trees) -> None:
    _try_all(report, trees, "mutants", try_mutant)
    for layer in present_layers():
        count = len(read_patches(layer, "mutants"))
        report.check(count >= LEAST_PER_STEP, f"{layer} has {count} mutants; {LEAST_PER_STEP} are due")


def alternatives(report: Report, trees: Trees) -> None:
    _try_all(report, trees, "alternatives", try_alternative)


def _try_all(report: Report, trees: Trees, kind: str, attempt) -> None:
    jobs = []
    recipes: dict[tuple[str, str], Recipe | None] = {}
    for layer in present_layers():
        for patch in read_patches(layer, kind):
            name = "tsan" if patch.needs == "tsan" else "asan"
            if (name, layer) not in recipes:
                tree = trees.tsan() if name == "tsan" else trees.asan()
                target = f"test_solution_{layer[:2]}"
                ready = build(tree, report, {target: test_targets("solution").get(target, target)})
                recipes[name, layer] = Recipe(tree, layer) if ready else None
            if recipes[name, layer]:
                jobs.append((patch, recipes[name, layer]))
    with ThreadPoolExecutor(trees.jobs) as pool:
        for (patch, _), wrong in zip(jobs, pool.map(lambda job: attempt(*job), jobs)):
            report.check(not wrong, f"{relative(patch.path)} {wrong.splitlines()[0] if wrong else ''}",
                         wrong)
    shutil.rmtree(TOP / "patched", ignore_errors=True)
