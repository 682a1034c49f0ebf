#!/usr/bin/env python3
"""Shows what failing tests printed; ctest runs it after the tests (see CTestCustom.cmake).

Stays silent when ctest itself was told to show the output.
"""
import os
import re
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.dont_write_bytecode = True

from workshop_lib.output import said  # noqa: E402

LOG_DIR = Path("Testing/Temporary")
SHOWN_BY_CTEST = ("--output-on-failure", "-V", "-VV", "--verbose", "--extra-verbose", "--preset")
MAX_SHOWN = 200


def ctest_arguments() -> list[str]:
    try:
        raw = Path(f"/proc/{os.getppid()}/cmdline").read_bytes()
        return raw.decode(errors="replace").split("\0")
    except OSError:
        ps = subprocess.run(["ps", "-o", "args=", "-p", str(os.getppid())],
                            capture_output=True, text=True, check=False)
        return ps.stdout.split()


def failed_names() -> list[str]:
    try:
        lines = (LOG_DIR / "LastTestsFailed.log").read_text().splitlines()
    except OSError:
        return []
    return [line.split(":", 1)[1] for line in lines if ":" in line]


def outputs() -> dict[str, str]:
    """Test name -> what it printed, from ctest's log."""
    for name in ("LastTest.log.tmp", "LastTest.log"):
        log = LOG_DIR / name
        if log.exists():
            break
    else:
        return {}
    entry = re.compile(r"^\d+/\d+ Test: (\S+)\n.*?^Output:\n-+\n(.*?)^<end of output>$",
                       flags=re.M | re.S)
    return dict(entry.findall(log.read_text(errors="replace")))


def main() -> int:
    if os.environ.get("CTEST_OUTPUT_ON_FAILURE"):
        return 0
    if any(arg.startswith(SHOWN_BY_CTEST) for arg in ctest_arguments()):
        return 0
    printed = outputs()
    failed = [name for name in failed_names() if printed.get(name, "").strip()]
    if failed:
        print("\nWhat the failing tests said:")
    for name in failed[:MAX_SHOWN]:
        print(f"\n{name}\n{said(printed[name])}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
