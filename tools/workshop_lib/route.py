"""`./workshop solve N.K` and `./workshop route two-day`: copies the reference into blank regions."""
from __future__ import annotations

from pathlib import Path

from .common import LAYERS, ROOT, SOLUTIONS, STEPS, WorkshopError, layer_of, relative, say
from .generate import exercise_key, sources_of
from .regions import BEGIN, END, Region

TWO_DAY = ROOT / "tools" / "two_day.txt"


def two_day_exercises() -> set[str]:
    lines = TWO_DAY.read_text().splitlines()
    return {word for line in lines if not line.startswith("#") for word in line.split()}


def route_command(arguments: list[str]) -> int:
    if arguments != ["two-day"]:
        raise WorkshopError("the route is called two-day", "./workshop route two-day")
    keep = two_day_exercises()
    solved = kept = 0
    for layer in LAYERS:
        regions = _regions_of(layer)
        for exercise in sorted(regions, key=exercise_key):
            if exercise in keep:
                continue
            if _solve(layer, exercise, regions[exercise]):
                solved += 1
            else:
                kept += 1
    say(f"{solved} exercises are solved for you; {len(keep)} are yours: "
        + " ".join(sorted(keep, key=exercise_key)))
    if kept:
        say(f"{kept} you had already written were left alone.")
    return 0


def solve_command(arguments: list[str]) -> int:
    if len(arguments) != 1 or "." not in arguments[0]:
        raise WorkshopError("name one exercise", "for example: ./workshop solve 5.2")
    exercise = arguments[0]
    layer = layer_of(exercise)
    regions = _regions_of(layer)
    if exercise not in regions:
        raise WorkshopError(f"{layer} has no exercise {exercise}",
                            "it has " + ", ".join(sorted(regions, key=exercise_key)))
    if not _solve(layer, exercise, regions[exercise]):
        raise WorkshopError(f"{exercise} is not blank any more, so it was left alone",
                            f"git checkout -- steps/{layer} makes the whole step blank again")
    say(f"{exercise}: the reference's code is in steps/{layer} now; `git diff` shows it.")
    return 0


def _regions_of(layer: str) -> dict[str, list[tuple[str, Region]]]:
    """exercise -> (file, region), in order."""
    directory = SOLUTIONS / layer
    if not directory.is_dir():
        raise WorkshopError(f"solutions/{layer} is missing", f"git checkout -- solutions/{layer}")
    found: dict[str, list[tuple[str, Region]]] = {}
    for source in sources_of(directory):
        for region in source.regions:
            name = source.path.relative_to(directory).as_posix()
            found.setdefault(region.exercise, []).append((name, region))
    return found


def _solve(layer: str, exercise: str, regions: list[tuple[str, Region]]) -> bool:
    """All regions of an exercise, or none when one of them is not blank."""
    texts: dict[Path, list[str]] = {}
    for name in {name for name, _ in regions}:
        path = STEPS / layer / name
        if not path.exists():
            raise WorkshopError(f"{relative(path)} is missing", f"git checkout -- {relative(path)}")
        lines = path.read_text(encoding="utf-8").splitlines()
        solved = _replace(lines, exercise, [r for n, r in regions if n == name])
        if solved is None:
            return False
        texts[path] = solved
    for path, lines in texts.items():
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return True


def _replace(lines: list[str], exercise: str, regions: list[Region]) -> list[str] | None:
    """The file with the regions' code in place, or None when they are not as generated."""
    result: list[str] = []
    left = list(regions)
    index = 0
    while index < len(lines):
        begin = BEGIN.match(lines[index])
        if not begin or begin.group(2) != exercise:
            result.append(lines[index])
            index += 1
            continue
        end = next((i for i in range(index, len(lines)) if END.match(lines[i])), None)
        if end is None or not left or lines[index + 1:end] != left[0].blank_body():
            return None
        result += [lines[index], *left.pop(0).solved_body(), lines[end]]
        index = end + 1
    return None if left else result
