"""What a red case said, without what the test framework and the sanitizers say about themselves."""
from __future__ import annotations

import re

from .common import ROOT

FRAMES_MAX = 6
LINES_MAX = 60

NOISE = re.compile(
    r"Note: Google Test filter|\[[-=]{10}\]|\[ RUN      \]|\[  PASSED  \]|\[  FAILED  \]"
    r"|\s*\d+ FAILED TESTS?$|\s*$|={20,}|==\d+==(ABORTING|HINT)|Shadow byte|\s+0x[0-9a-f]+: |=>0x"
    r"|  (Addressable|Partially|Heap|Freed|Stack|Global|Poisoned|Container|Array|Intra|ASan|Left|Right)"
    r".*:( |$)")
FRAME = re.compile(r"\s+#(\d+) 0x[0-9a-f]+ (?:in )?(.*)")


MANGLED = re.compile(r"\b_Z\w+")
INSIDE = re.compile(r"(?<=[\w>~])<[^<>]*>(?!=)")  # The innermost pair of angle brackets of a name.


def said(text: str, indent: str = "    ") -> str:
    lines = []
    for line in text.replace(f"{ROOT}/", "").splitlines():
        frame = FRAME.match(line)
        if frame and (int(frame[1]) >= FRAMES_MAX or not _is_ours(frame[2])):
            continue
        if NOISE.match(line):
            continue
        lines.append(indent + (f"  #{frame[1]} {_short(frame[2])}" if frame else line))
    if len(lines) > LINES_MAX:
        cut = len(lines) - LINES_MAX
        lines[LINES_MAX // 2:-LINES_MAX // 2] = [f"{indent}[{cut} lines left out]"]
    return "\n".join(lines)


def _is_ours(frame: str) -> bool:
    """The learner's code, the layers' or a test's; or unknown, where nothing names functions."""
    where = frame.rsplit(" ", 1)[-1]
    return where.startswith(("steps/", "solutions/", "tests/")) or "+0x" in where


def _short(frame: str) -> str:
    """The frame's function without its template arguments, which may fill a page."""
    name = MANGLED.sub(_plain_names, frame)
    while (shorter := INSIDE.sub("", name)) != name:
        name = shorter
    return name.replace("(anonymous namespace)::", "")


def _plain_names(mangled: re.Match) -> str:
    """Its plain names, up to template arguments: binutils cannot read every C++20 name."""
    rest, names = mangled[0][2:].lstrip("NKR"), []
    while number := re.match(r"(\d+)", rest):
        end = len(number[1]) + int(number[1])
        names.append(rest[len(number[1]):end])
        rest = re.sub(r"^I[a-z]E", "", rest[end:])
    return "::".join(names) or mangled[0]
