"""What a red case said, without what the test framework and the sanitizers say about themselves."""
from __future__ import annotations

import re

FRAMES_MAX = 6
LINES_MAX = 60

NOISE = re.compile(
    r"Note: Google Test filter|\[[-=]{10}\]|\[ RUN      \]|\[  PASSED  \]|\[  FAILED  \]"
    r"|\s*\d+ FAILED TESTS?$|\s*$|={20,}|==\d+==(ABORTING|HINT)|Shadow byte|\s+0x[0-9a-f]+: |=>0x"
    r"|  (Addressable|Partially|Heap|Freed|Stack|Global|Poisoned|Container|Array|Intra|ASan|Left|Right)"
    r".*:( |$)")
FRAME = re.compile(r"\s+#(\d+) 0x[0-9a-f]+ (?:in )?(.*)")


def said(text: str, indent: str = "    ") -> str:
    lines = []
    for line in text.splitlines():
        frame = FRAME.match(line)
        if frame and (int(frame[1]) >= FRAMES_MAX or "testing::" in frame[2]):
            continue
        if NOISE.match(line):
            continue
        lines.append(indent + (f"  #{frame[1]} {frame[2]}" if frame else line))
    if len(lines) > LINES_MAX:
        cut = len(lines) - LINES_MAX
        lines[LINES_MAX // 2:-LINES_MAX // 2] = [f"{indent}[{cut} lines left out]"]
    return "\n".join(lines)
