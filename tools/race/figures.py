"""Medians and spreads of a few rounds. Every figure is kept with all its samples."""
from __future__ import annotations

import math
from statistics import median


def summary(samples: list[float]) -> dict:
    """{"median", "min", "max", "samples"}; what every table and picture is made from."""
    return {"median": median(samples), "min": min(samples), "max": max(samples),
            "samples": samples}


def paired_ratio(a: dict, b: dict) -> dict:
    """a / b round by round: what drifts between rounds hits both sides of a pair alike."""
    return summary([x / y for x, y in zip(a["samples"], b["samples"]) if y])


def spread(figure: dict) -> float:
    """Half of the range, relative to the median."""
    if not figure["median"]:
        return 0.0
    return (figure["max"] - figure["min"]) / 2 / figure["median"]


def short(value: float) -> str:
    """Three significant digits without an exponent: 0.0123, 4.56, 78.9, 123, 45,600."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else "-"
    digits = 2 - math.floor(math.log10(abs(value)))
    return f"{round(value, digits):,.{max(0, digits)}f}"


def with_spread(figure: dict, scale: float = 1.0) -> str:
    """"289 ± 1 %"; the median and half of the range."""
    return f"{short(figure['median'] * scale)} ± {100 * spread(figure):.0f} %"
