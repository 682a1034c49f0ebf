"""What a red case said, without what the test framework and the sanitizers say about themselves."""
from __future__ import annotations

import re

from .common import ROOT

FRAMES_MAX = 6
LINES_MAX = 60

NOISE = re.compile(
    r"Note: Google Test filter|\[[-=]{10}\]|\[ RUN      \]|\[       OK \]|\[  PASSED  \]|\[  FAILED  \]"
    r"|\s*\d+ FAILED TESTS?$|\s*$|={20,}|==\d+==(ABORTING|HINT)|Shadow byte|\s+0x[0-9a-f]+: |=>0x"
    r"|  (Addressable|Partially|Heap|Freed|Stack|Global|Poisoned|Container|Array|Intra|ASan|Left|Right)"
    r".*:( |$)|(==\d+==)?Register values:|\s+r\w+ = 0x|\s+This frame has \d+ object|\s+\[\d+, \d+\) '(?!.*<==)")
FRAME = re.compile(r"\s+#(\d+) 0x[0-9a-f]+ (?:in )?(.*)")

MANGLED = re.compile(r"\b_Z\w+")
INSIDE = re.compile(r"(?<=[\w>~])<[^<>]*>(?!=)")  # The innermost pair of angle brackets of a name.
RUN = re.compile(r"\[ RUN      \] \S+/(\w+)$")


def said(text: str, indent: str = "    ") -> str:
    lines = []
    for words, parameters in _by_parameter(text):
        if len(words) > LINES_MAX:
            cut = len(words) - LINES_MAX
            words[LINES_MAX // 2:-LINES_MAX // 2] = [f"[{cut} lines left out]"]
        lines += words
        if parameters:
            lines.append(f"(on {', '.join(parameters)})")
    return "\n".join(indent + line for line in lines)


def _by_parameter(text: str) -> list[tuple[list[str], list[str]]]:
    """What was said, and with which parameters of the case; what is the same is said once."""
    sections: list[tuple[list[str], list[str]]] = [([], [])]
    for line in text.replace(f"{ROOT}/", "").splitlines():
        run = RUN.match(line)
        if run:
            sections.append(([], [run[1]]))
        frame = FRAME.match(line)
        if NOISE.match(line) or frame and (int(frame[1]) >= FRAMES_MAX or not _is_ours(frame[2])):
            continue
        shown = f"  #{frame[1]} {_short(frame[2])}" if frame else line
        if not (shown.startswith("starling: ") and shown in sections[-1][0]):
            sections[-1][0].append(shown)
    merged: list[tuple[list[str], list[str]]] = []
    for words, parameters in sections:
        same = next((m for m in merged if m[0] == words), None)
        if same:
            same[1].extend(parameters)
        elif words:
            merged.append((words, parameters))
    return merged


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
