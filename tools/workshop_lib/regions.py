"""Reads the regions of a solution and renders them three ways (docs/maintaining.md).

    // BEGIN 5.2: cascade one level         the region of exercise 5.2
    //| Move every timer of `slot` ...      the task
    //= todo("5.2", "TimerWheel::cascade"); the stub
    code                                    the reference
    // END 5.2
"""
from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from .common import WorkshopError, relative

BEGIN = re.compile(r"^(\s*)// BEGIN (\d+\.\d+): (\S.*)$")
END = re.compile(r"^\s*// END (\d+\.\d+)\s*$")
TASK = re.compile(r"^(\s*)//\|(?: (.*))?$")
STUB = re.compile(r"^(\s*)//= ?(.*)$")
MARKER_LIKE = re.compile(r"^\s*//\s*(BEGIN|END)\b\s*\d|^\s*//(\||=)(?!=)")
TODO = re.compile(r'\btodo(?:_soft)?(?:<[^("]*>)?\(\s*"(\d+\.\d+)"\s*,\s*"([^"]+)"')
TODO_INCLUDE = "#include <starling/todo.hh>"


class RegionError(WorkshopError):
    def __init__(self, path: Path, line: int, what: str):
        super().__init__(f"{relative(path)}:{line}: {what}",
                         "docs/maintaining.md shows how a region is written")


@dataclass
class Region:
    """One region of one file. Lines carry no line ends."""
    exercise: str
    title: str
    line: int  # of BEGIN, from 1
    begin: str
    end: str = ""
    task: list[str] = field(default_factory=list)
    stub: list[str] = field(default_factory=list)
    code: list[str] = field(default_factory=list)

    @property
    def function(self) -> str:
        found = TODO.search("\n".join(self.stub))
        return found.group(2) if found else ""

    def blank_body(self) -> list[str]:
        """What a learner finds between BEGIN and END."""
        return self.task + self.stub

    def solved_body(self) -> list[str]:
        return self.task + self.code

    def ladder_body(self) -> list[str]:
        if not self.stub:
            return self.code
        indent = re.match(r"\s*", self.stub[0]).group()
        return [f'{indent}if (todo_blank("{self.exercise}")) {{', *self.stub, f"{indent}}}",
                *self.code]


@dataclass
class Source:
    """A file of a solution: plain lines and regions, in order."""
    path: Path
    parts: list  # str | Region

    @property
    def regions(self) -> list[Region]:
        return [part for part in self.parts if isinstance(part, Region)]

    def render(self, mode: str) -> str:
        """`mode`: step, ladder or solved."""
        lines: list[str] = []
        for part in self.parts:
            if isinstance(part, Region):
                lines += [part.begin, *getattr(part, {"step": "blank_body", "ladder": "ladder_body",
                                                      "solved": "solved_body"}[mode])(), part.end]
            else:
                lines.append(part)
        if self.regions and mode != "solved":
            lines = _with_todo_include(lines)
        return "\n".join(lines) + "\n"


def read_source(path: Path) -> Source:
    text = path.read_text(encoding="utf-8")
    parts: list = []
    region: Region | None = None
    step = _step_of(path)
    for number, line in enumerate(text.splitlines(), 1):
        begin, end = BEGIN.match(line), END.match(line)
        if begin:
            if region:
                raise RegionError(path, number, f"BEGIN {begin.group(2)} inside the region of "
                                  f"{region.exercise} (no END {region.exercise} yet)")
            region = Region(begin.group(2), begin.group(3).strip(), number, line)
            if step is not None and int(region.exercise.split(".")[0]) != step:
                raise RegionError(path, number, f"exercise {region.exercise} is not of this step")
        elif end:
            if region is None or end.group(1) != region.exercise:
                raise RegionError(path, number, f"END {end.group(1)} without its BEGIN")
            region.end = line
            _check(path, region)
            parts.append(region)
            region = None
        elif region:
            _add_line(path, number, region, line)
        elif MARKER_LIKE.match(line):
            raise RegionError(path, number, f"a marker outside of a region, or misspelt: {line.strip()}")
        else:
            parts.append(line)
    if region:
        raise RegionError(path, region.line, f"BEGIN {region.exercise} has no END")
    return Source(path, parts)


def _step_of(path: Path) -> int | None:
    for parent in path.parents:
        found = re.match(r"(\d\d)_", parent.name)
        if found:
            return int(found.group(1))
    return None


def _add_line(path: Path, number: int, region: Region, line: str) -> None:
    task, stub = TASK.match(line), STUB.match(line)
    if (task or stub) and region.code:
        raise RegionError(path, number, "a task or stub line behind the code of its region")
    if task:
        if region.stub:
            raise RegionError(path, number, "a task line behind the stub; the task comes first")
        region.task.append(f"{task.group(1)}// {task.group(2)}" if task.group(2)
                           else f"{task.group(1)}//")
    elif stub:
        region.stub.append((stub.group(1) + stub.group(2)).rstrip())
    elif MARKER_LIKE.match(line):
        raise RegionError(path, number, f"a misspelt marker: {line.strip()}")
    else:
        region.code.append(line)


def _check(path: Path, region: Region) -> None:
    if not region.task and not region.stub:
        raise RegionError(path, region.line, f"the region of {region.exercise} has neither a task "
                          "(//|) nor a stub (//=)")
    if region.stub:
        calls = TODO.findall("\n".join(region.stub))
        if not calls:
            raise RegionError(path, region.line, f"the stub of {region.exercise} calls no todo(...)")
        for exercise, _ in calls:
            if exercise != region.exercise:
                raise RegionError(path, region.line,
                                  f"the stub of {region.exercise} names exercise {exercise}")


def _with_todo_include(lines: list[str]) -> list[str]:
    """Adds the include behind the last top-of-file #include, outside of any #if."""
    if TODO_INCLUDE in lines:
        return lines
    depth, place = 0, 0
    for index, line in enumerate(lines):
        text = line.strip()
        if text.startswith("#if"):
            depth += 1
        elif text.startswith("#endif"):
            depth -= 1
        elif text.startswith("#include"):
            if depth == 0:
                place = index + 1
        elif text and not text.startswith(("#", "//", "/*", "*")):
            break
    if place == 0:
        place = next((i + 1 for i, line in enumerate(lines) if line.startswith("#pragma once")), 0)
    return lines[:place] + [TODO_INCLUDE] + lines[place:]
