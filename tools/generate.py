#!/usr/bin/env python3
"""Writes steps/ from solutions/; the same as `./workshop generate`."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from workshop_lib.common import WorkshopError  # noqa: E402
from workshop_lib.generate import main  # noqa: E402

if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except WorkshopError as error:
        sys.exit(f"generate: {error}" + (f"\nRemedy: {error.remedy}" if error.remedy else ""))
