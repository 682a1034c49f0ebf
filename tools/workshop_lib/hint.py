"""`./workshop hint 5.2 [2]`: one tier of an exercise's hints, out of the chapter."""
from __future__ import annotations

import re

from .common import STEPS, WorkshopError, bold, layer_of, relative, say

DETAILS = re.compile(r"<details>\s*<summary>(.*?)</summary>\s*(.*?)\s*</details>", re.S)


def section_of(chapter: str, exercise: str) -> tuple[str, str]:
    """Title and text of the exercise's section; empty if there is none."""
    heading = re.search(rf"^(#+)[^\n#]*\b{re.escape(exercise)}\b[ ]*([^\n]*)$", chapter, re.M)
    if not heading:
        return "", ""
    rest = chapter[heading.end():]
    end = re.search(rf"^#{{1,{len(heading[1])}}} ", rest, re.M)
    return heading[2], rest[:end.start()] if end else rest


def hints_of(chapter: str, exercise: str) -> list[tuple[str, str]]:
    """(summary, text) of every collapsed block in the exercise's section."""
    _, section = section_of(chapter, exercise)
    return [(summary.strip(), text.strip()) for summary, text in DETAILS.findall(section)]


def hint_command(arguments: list[str]) -> int:
    if not arguments or not re.fullmatch(r"\d+\.\d+", arguments[0]):
        raise WorkshopError("name an exercise", "for example: ./workshop hint 5.2")
    exercise = arguments[0]
    chapter = STEPS / layer_of(exercise) / "README.md"
    if not chapter.exists():
        raise WorkshopError(f"{relative(chapter)} is missing", f"git checkout -- {relative(chapter)}")
    hints = hints_of(chapter.read_text(encoding="utf-8"), exercise)
    if not hints:
        raise WorkshopError(f"{relative(chapter)} has no hint for {exercise}")
    tier = int(arguments[1]) if len(arguments) > 1 and arguments[1].isdigit() else 1
    if tier < 1 or tier > len(hints):
        raise WorkshopError(f"the last hint of {exercise} is number {len(hints)}",
                            f"./workshop hint {exercise} {len(hints)}")
    summary, text = hints[tier - 1]
    say(bold(f"{exercise}, hint {tier} of {len(hints)}: {summary}") + f"\n\n{text}\n")
    if tier < len(hints):
        say(f"The next one: ./workshop hint {exercise} {tier + 1}")
    return 0
