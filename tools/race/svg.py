"""Bars and curves as SVG, by hand: readable in a browser, in a diff, on light and dark pages."""
from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape

from .figures import short

STYLE = """<style>
text { font: 13px system-ui, sans-serif; fill: #1f2328; }
.title { font-weight: 600; font-size: 15px; }
.small { font-size: 11px; fill: #656d76; }
.grid { stroke: #d0d7de; stroke-width: 1; }
.whisker { stroke: #1f2328; stroke-width: 1.2; }
.starling { fill: #1f6feb; } .floor { fill: #8c959f; } .peer { fill: #d4a72c; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; } .small { fill: #8d96a0; } .grid { stroke: #30363d; }
  .whisker { stroke: #e6edf3; } .floor { fill: #6e7681; }
}
</style>"""
LINE_COLOURS = ("#1f6feb", "#2da44e", "#d4a72c", "#cf222e", "#8250df", "#8c959f", "#bf3989")
BAR, GAP, LEFT, WIDTH = 20, 8, 170, 720


@dataclass
class Bar:
    label: str
    value: float
    low: float
    high: float
    kind: str = "peer"  # A class of STYLE.
    note: str = ""


def bars(title: str, unit: str, items: list[Bar]) -> str:
    """Horizontal bars with a whisker from the smallest to the largest round."""
    top = 34
    height = top + len(items) * (BAR + GAP) + 14
    scale = (WIDTH - LEFT - 130) / max(item.high for item in items)
    rows = []
    for i, item in enumerate(items):
        y = top + i * (BAR + GAP)
        middle = y + BAR / 2
        low, high = LEFT + item.low * scale, LEFT + item.high * scale
        rows.append(
            f'<text x="{LEFT - 8}" y="{middle + 4.5}" text-anchor="end">{escape(item.label)}</text>'
            f'<rect class="{item.kind}" x="{LEFT}" y="{y}" rx="2" height="{BAR}" '
            f'width="{max(item.value * scale, 1):.1f}"/>'
            f'<path class="whisker" fill="none" d="M{low:.1f} {middle}H{high:.1f}'
            f'M{low:.1f} {middle - 4}v8M{high:.1f} {middle - 4}v8"/>'
            f'<text x="{high + 8:.1f}" y="{middle + 4.5}">{short(item.value)}'
            f'<tspan class="small"> {escape(item.note)}</tspan></text>')
    return _page(WIDTH, height, title, unit, rows)


@dataclass
class Line:
    label: str
    points: list[tuple[float, float]]  # x and y, both above 0.


def curves(title: str, x_unit: str, y_unit: str, lines: list[Line]) -> str:
    """Lines over a logarithmic x axis; y is logarithmic too when it spans more than 30 times."""
    left, top, width, height = 70, 40, 480, 260
    xs = [x for line in lines for x, _ in line.points]
    ys = [y for line in lines for _, y in line.points]
    log_y = max(ys) > 30 * min(ys)
    x_axis = _axis(min(xs), max(xs), True)
    y_axis = _axis(min(ys) if log_y else 0, max(ys), log_y)

    def at(x: float, y: float) -> tuple[float, float]:
        return left + width * x_axis.place(x), top + height * (1 - y_axis.place(y))

    parts = []
    for x in x_axis.ticks:
        px, _ = at(x, y_axis.high)
        parts.append(f'<path class="grid" d="M{px:.1f} {top}v{height}"/><text class="small" '
                     f'x="{px:.1f}" y="{top + height + 16}" text-anchor="middle">{short(x)}</text>')
    for y in y_axis.ticks:
        _, py = at(x_axis.high, y)
        parts.append(f'<path class="grid" d="M{left} {py:.1f}h{width}"/><text class="small" '
                     f'x="{left - 6}" y="{py + 4:.1f}" text-anchor="end">{short(y)}</text>')
    for i, line in enumerate(lines):
        colour = LINE_COLOURS[i % len(LINE_COLOURS)]
        path = "L".join("{:.1f} {:.1f}".format(*at(x, y)) for x, y in line.points)
        dots = "".join('<circle r="3" cx="{:.1f}" cy="{:.1f}"/>'.format(*at(x, y))
                       for x, y in line.points)
        y = top + 10 + 20 * i
        parts.append(f'<g fill="{colour}"><path fill="none" stroke="{colour}" stroke-width="2" '
                     f'd="M{path}"/>{dots}<rect x="{left + width + 16}" y="{y - 9}" width="10" '
                     f'height="10"/></g><text x="{left + width + 32}" y="{y}">'
                     f"{escape(line.label)}</text>")
    parts.append(f'<text class="small" x="{left + width}" y="{top + height + 32}" '
                 f'text-anchor="end">{escape(x_unit)}</text>')
    return _page(WIDTH + 60, top + height + 44, title, y_unit, parts)


@dataclass
class _Axis:
    low: float
    high: float
    logarithmic: bool
    ticks: list[float]

    def place(self, value: float) -> float:
        """0 at the low end, 1 at the high end."""
        if self.logarithmic:
            return math.log(value / self.low) / (math.log(self.high / self.low) or 1)
        return (value - self.low) / (self.high - self.low)


def _axis(low: float, high: float, logarithmic: bool) -> _Axis:
    if logarithmic:
        first, last = math.floor(math.log10(low)), math.ceil(math.log10(high) - 1e-9)
        last = max(last, first + 1)
        ticks = [10.0**e for e in range(first, last + 1)]
        return _Axis(ticks[0], ticks[-1], True, ticks)
    step = 10 ** math.floor(math.log10(high or 1))
    if high / step < 2.5:
        step /= 4
    elif high / step < 5:
        step /= 2
    count = math.ceil(high / step + 1e-9)
    return _Axis(low, step * count, False, [step * i for i in range(count + 1)])


def _page(width: float, height: float, title: str, unit: str, parts: list[str]) -> str:
    body = "\n".join(parts)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" role="img" aria-label="{escape(title)}">\n{STYLE}\n'
            f'<text class="title" x="10" y="20">{escape(title)}'
            f'<tspan class="small" dx="10">{escape(unit)}</tspan></text>\n{body}\n</svg>\n')
