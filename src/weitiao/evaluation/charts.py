"""Charts of the report, as inline SVG: interval bars, curves, reliability curve, confusion heat map.

Plain values in, escaped `Markup` out. Colours are the page's CSS classes, so that a chart follows the light and the
dark scheme; coordinates are user units of the viewBox, y downwards.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from weitiao.evaluation.intervals import Score
from weitiao.evaluation.schema import CalibrationBin, Confusion

Points = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Scale:
    """Values from `low` to `high` onto coordinates from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        width = self.high - self.low or 1.0
        return round(self.start + (value - self.low) / width * (self.end - self.start), 2)

    def ticks(self, count: int = 5) -> list[float]:
        """Round values within the scale, about `count` of them."""
        width = self.high - self.low or 1.0
        power = 10 ** math.floor(math.log10(width / count))
        step = next(power * each for each in (1, 2, 5, 10) if width / (power * each) <= count + 1e-9)
        first = math.ceil(self.low / step - 1e-9)
        return [round(index * step, 10) for index in range(first, math.floor(self.high / step + 1e-9) + 1)]


def _svg(width: float, height: float, title: str, parts: Sequence[str]) -> Markup:
    return Markup('<svg viewBox="0 0 {} {}" role="img" aria-label="{}" style="max-width:{}px">{}</svg>').format(
        round(width), round(height), title, round(width), Markup("".join(parts))
    )


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "start", title: str = "") -> str:
    hover = f"<title>{escape(title)}</title>" if title else ""
    return f'<text x="{x}" y="{y}" class="{kind}" text-anchor="{anchor}">{escape(text)}{hover}</text>'


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" class="{kind}"/>'


def _dot(x: float, y: float, radius: float, kind: str, title: str) -> str:
    return f'<circle cx="{x}" cy="{y}" r="{radius}" class="{kind}"><title>{escape(title)}</title></circle>'


def _short(text: str, characters: int) -> str:
    return text if len(text) <= characters else text[: characters - 1] + "…"


def interval_bars(rows: Sequence[tuple[str, Score]], title: str, *, percent: bool = True) -> Markup:
    """One line a system: a dot for the value, a bar for the interval; the first is the model.

    Args:
        rows: (name, score) of each system.
        title: for those who cannot see the chart.
        percent: whether values are shares.
    """
    factor, digits = (100, 1) if percent else (1, 3)
    left, width, step, top = 120, 620, 38, 8
    bottom = top + step * len(rows)
    low, high = min(score.low for _name, score in rows), max(score.high for _name, score in rows)
    margin = max((high - low) * 0.08, 0.01)
    scale = Scale(low - margin, high + margin, left, width - 16)
    parts = []
    for tick in scale.ticks():
        parts.append(_line(scale(tick), top, scale(tick), bottom, "grid"))
        parts.append(_text(scale(tick), bottom + 16, f"{factor * tick:.3g}", "tick", "middle"))
    for index, (name, score) in enumerate(rows):
        y, kind = top + step * (index + 0.5), "a" if index == 0 else "b"
        value, bottom_end, top_end = (f"{factor * each:.{digits}f}" for each in (score.value, score.low, score.high))
        figures = f"{name}: {value} ({bottom_end} – {top_end})"
        parts.append(_text(left - 14, y + 4.5, _short(name, 14), "label strong" if index == 0 else "label", "end"))
        parts.append(_line(scale(score.low), y, scale(score.high), y, f"bar {kind}"))
        parts.append(_dot(scale(score.value), y, 6, f"fill {kind}", figures))
    return _svg(width, bottom + 24, title, parts)


def line_chart(series: Sequence[tuple[str, str, Points]], title: str, *, percent: bool = False) -> Markup:
    """Lines over epochs.

    Args:
        series: (name, CSS class, (epoch, value) points); few points are dotted.
        title: for those who cannot see the chart.
        percent: whether values are shares.
    """
    width, height, left, bottom = 460, 250, 46, 26
    values = [y for _name, _kind, points in series for _x, y in points]
    epochs = [x for _name, _kind, points in series for x, _y in points]
    margin = (max(values) - min(values)) * 0.08 or 0.02
    floor = min(values) - margin
    if not percent and min(values) >= 0:
        floor = max(0.0, floor)
    across = Scale(min(0.0, *epochs), max(epochs), left, width - 12)
    up = Scale(floor, max(values) + margin, height - bottom, 26)
    parts = []
    for tick in up.ticks():
        label = f"{100 * tick:.4g}" if percent else f"{tick:.3g}"
        parts += [
            _line(left, up(tick), width - 12, up(tick), "grid"),
            _text(left - 8, up(tick) + 4, label, "tick", "end"),
        ]
    parts += [_text(across(tick), height - 8, f"{tick:.3g}", "tick", "middle") for tick in across.ticks()]
    x = float(left)
    for name, kind, points in series:
        parts += [
            f'<rect x="{x}" y="6" width="12" height="4" rx="2" class="fill {kind}"/>',
            _text(x + 18, 13, name, "tick"),
        ]
        x += 34 + sum(14 if ord(character) > 0x2E80 else 7 for character in name)
        path = " ".join(f"{across(epoch)},{up(value)}" for epoch, value in points)
        parts.append(f'<polyline points="{path}" class="line {kind}"/>')
        if len(points) <= 30:
            parts += [_dot(across(e), up(v), 3.5, f"fill {kind}", f"{name}, {e:.3g}: {v:.4g}") for e, v in points]
    return _svg(width, height, title, parts)


def size_chart(
    measured: Sequence[tuple[float, Score]], fitted: Points, title: str, axis: str, *, percent: bool = True
) -> Markup:
    """Scores over training rows, the rows by their logarithm: bars for intervals, and a fitted line.

    Args:
        measured: (rows, score) of each size, ascending.
        fitted: (rows, value) along the line; drawn dashed beyond the last measured size. May be empty.
        title: for those who cannot see the chart.
        axis: what stands under the rows.
        percent: whether values are shares.
    """
    width, height, left, bottom = 620, 320, 52, 44
    sizes = [rows for rows, _score in measured]
    values = [end for _rows, score in measured for end in (score.low, score.high)] + [y for _x, y in fitted]
    margin = (max(values) - min(values)) * 0.08 or 0.02
    last = max(sizes[-1], *(x for x, _y in fitted)) if fitted else sizes[-1]
    across = Scale(math.log(sizes[0]), math.log(last), left + 14, width - 24)
    up = Scale(min(values) - margin, max(values) + margin, height - bottom, 12)
    parts = []
    for tick in up.ticks():
        label = f"{100 * tick:.4g}" if percent else f"{tick:.3g}"
        parts.append(_line(left, up(tick), width - 12, up(tick), "grid"))
        parts.append(_text(left - 8, up(tick) + 4, label, "tick", "end"))
    inside = [point for point in fitted if point[0] <= sizes[-1]]
    beyond = [*inside[-1:], *(point for point in fitted if point[0] > sizes[-1])]
    for kind, points in (("line b", inside), ("ideal", beyond)):
        path = " ".join(f"{across(math.log(x))},{up(y)}" for x, y in points)
        parts.append(f'<polyline points="{path}" class="{kind}" fill="none"/>' if path else "")
    for rows, score in measured:
        x = across(math.log(rows))
        parts.append(_text(x, height - bottom + 18, f"{rows:,.0f}", "tick", "middle"))
        parts.append(_line(x, up(score.low), x, up(score.high), "bar a"))
        figures = f"{rows:,.0f}: {score.value:.4g} ({score.low:.4g} – {score.high:.4g})"
        parts.append(_dot(x, up(score.value), 5, "fill a", figures))
    parts.append(_text((left + width) / 2, height - 6, axis, "tick", "middle"))
    return _svg(width, height, title, parts)


def share_bars(rows: Sequence[tuple[str, float]], title: str) -> Markup:
    """A bar a row, from zero to its share, with the percent beside it."""
    left, width, step, top = 190, 620, 28, 4
    across = Scale(0.0, max(max(share for _name, share in rows), 1e-9), left, width - 60)
    parts = []
    for index, (name, share) in enumerate(rows):
        y, length = top + step * index, round(across(share) - left, 2)
        parts.append(_text(left - 10, y + 16, _short(name, 26), "label", "end", name))
        parts.append(f'<rect x="{left}" y="{y + 4}" width="{max(length, 1)}" height="16" rx="3" class="fill a"/>')
        parts.append(_text(left + max(length, 1) + 8, y + 16, f"{100 * share:.0f} %", "tick"))
    return _svg(width, top + step * len(rows) + 4, title, parts)


@dataclass(frozen=True, slots=True)
class Axis:
    """The horizontal axis of a scatter.

    Args:
        ticks: (value, label).
        log: on a logarithmic scale.
    """

    ticks: Sequence[tuple[float, str]]
    log: bool = False

    def place(self, value: float) -> float:
        return math.log10(value) if self.log else value


def scatter(
    points: Sequence[tuple[float, float, str]], axis: Axis, title: str, *, line: Points = (), percent: bool = True
) -> Markup:
    """A dot a point, told by its third value; and a line, such as the best so far."""
    width, height, left, bottom = 460, 240, 46, 26
    values = [y for _x, y, _hover in points]
    xs = [axis.place(x) for x in [*(x for x, _y, _hover in points), *(x for x, _label in axis.ticks)]]
    margin = (max(values) - min(values)) * 0.08 or 0.02
    aside = (max(xs) - min(xs)) * 0.04 or 0.5
    across = Scale(min(xs) - aside, max(xs) + aside, left, width - 12)
    up = Scale(min(values) - margin, max(values) + margin, height - bottom, 12)
    parts = []
    for tick in up.ticks():
        parts.append(_line(left, up(tick), width - 12, up(tick), "grid"))
        parts.append(_text(left - 8, up(tick) + 4, f"{100 * tick:.4g}" if percent else f"{tick:.3g}", "tick", "end"))
    for value, label in axis.ticks:
        parts.append(_text(across(axis.place(value)), height - 8, _short(label, 16), "tick", "middle", label))
    if line:
        path = " ".join(f"{across(axis.place(x))},{up(y)}" for x, y in line)
        parts.append(f'<polyline points="{path}" class="line a"/>')
    parts += [_dot(across(axis.place(x)), up(y), 4, "fill b", hover) for x, y, hover in points]
    return _svg(width, height, title, parts)


@dataclass(frozen=True, slots=True)
class Choice:
    """A system among which one chooses by cost and score.

    Args:
        name: what it is called.
        cost: what is across, by its logarithm.
        score: what is up.
        best: whether no other is better in everything.
    """

    name: str
    cost: float
    score: Score
    best: bool


def trade_off(choices: Sequence[Choice], title: str, axis: str, *, percent: bool = True) -> Markup:
    """Scores with intervals over a cost; those that no other beats in everything have the first colour.

    Args:
        title: for those who cannot see the chart.
        axis: what stands under the costs.
        percent: whether scores are shares.
    """
    width, height, left, bottom = 620, 340, 52, 44
    costs = [each.cost for each in choices]
    ends = [end for each in choices for end in (each.score.low, each.score.high)]
    margin, aside = (max(ends) - min(ends)) * 0.08 or 0.02, math.log(max(costs) / min(costs)) * 0.06 or 0.5
    across = Scale(math.log(min(costs)) - aside, math.log(max(costs)) + aside, left, width - 90)
    up = Scale(min(ends) - margin, max(ends) + margin, height - bottom, 12)
    parts = []
    for tick in up.ticks():
        parts.append(_line(left, up(tick), width - 12, up(tick), "grid"))
        parts.append(_text(left - 8, up(tick) + 4, f"{100 * tick:.4g}" if percent else f"{tick:.3g}", "tick", "end"))
    for cost in sorted({min(costs), max(costs)}):
        x = across(math.log(cost))
        parts.append(_text(x, height - bottom + 18, f"{cost:,.3g}", "tick", "middle"))
    for each in choices:
        x, kind = across(math.log(each.cost)), "a" if each.best else "b"
        figures = f"{each.name}: {each.cost:,.4g}, {each.score.shown()}"
        parts.append(_line(x, up(each.score.low), x, up(each.score.high), f"bar {kind}"))
        parts.append(_dot(x, up(each.score.value), 5, f"fill {kind}", figures))
    names = [(across(math.log(each.cost)) + 9, up(each.score.value) - 6, each.name) for each in choices]
    parts += [_text(x, y, _short(name, 24), "tick", "start", name) for x, y, name in _apart(names)]
    parts.append(_text((left + width) / 2, height - 6, axis, "tick", "middle"))
    return _svg(width, height, title, parts)


def _apart(names: Sequence[tuple[float, float, str]]) -> list[tuple[float, float, str]]:
    """Names beside their dots, each moved up a line at a time until it stands on no other."""
    placed: list[tuple[float, float, str]] = []
    for x, y, name in names:
        while any(
            abs(y - up) < 12 and x < across + 7 * len(other) and across < x + 7 * len(name)
            for across, up, other in placed
        ):
            y -= 12
        placed.append((x, y, name))
    return placed


def reliability(bins: Sequence[CalibrationBin], title: str, confidence: str, accuracy: str) -> Markup:
    """Share that was right over the probability given; the diagonal is perfect; areas of dots follow rows."""
    size, left, bottom = 340, 44, 40
    across, up = Scale(0, 1, left, size - 12), Scale(0, 1, size - bottom, 10)
    most = max(each.rows for each in bins)
    parts = []
    for tick in (0, 0.25, 0.5, 0.75, 1.0):
        parts += [
            _line(left, up(tick), size - 12, up(tick), "grid"),
            _line(across(tick), 10, across(tick), size - bottom, "grid"),
        ]
        parts.append(_text(left - 8, up(tick) + 4, f"{100 * tick:.0f}", "tick", "end"))
        parts.append(_text(across(tick), size - bottom + 16, f"{100 * tick:.0f}", "tick", "middle"))
    parts.append(_line(across(0), up(0), across(1), up(1), "ideal"))
    path = " ".join(f"{across(each.confidence)},{up(each.accuracy)}" for each in bins)
    parts.append(f'<polyline points="{path}" class="line a"/>')
    for each in bins:
        figures = f"{100 * each.confidence:.1f} → {100 * each.accuracy:.1f} (n = {each.rows})"
        radius = round(2.5 + 6 * math.sqrt(each.rows / most), 2)
        parts.append(_dot(across(each.confidence), up(each.accuracy), radius, "fill a", figures))
    parts.append(_text((left + size - 12) / 2, size - 6, confidence, "tick", "middle"))
    parts.append(f'<g transform="rotate(-90 12 {size / 2})">{_text(12, size / 2 + 4, accuracy, "tick", "middle")}</g>')
    return _svg(size, size, title, parts)


def heat_map(confusion: Confusion, title: str, unseen: str, abstained: str) -> Markup:
    """Rows by gold label, columns by answer; shade is the share of the row."""
    gold = [label or unseen for label in confusion.gold]
    predicted = [label or abstained for label in confusion.predicted]
    cell = 56 if len(gold) <= 6 else 40 if len(gold) <= 12 else 26
    left, top = 132, 96
    parts = []
    for column, label in enumerate(predicted):
        x = left + cell * (column + 0.5)
        turned = _text(x, top - 8, _short(label, 14), "tick", "start", label)
        parts.append(f'<g transform="rotate(-40 {x} {top - 8})">{turned}</g>')
    for row, label in enumerate(gold):
        parts.append(_text(left - 8, top + cell * (row + 0.5) + 4, _short(label, 14), "tick", "end", label))
        total = sum(confusion.counts[row])
        for column, count in enumerate(confusion.counts[row]):
            right = confusion.gold[row] == confusion.predicted[column] != ""
            hover = f"{label} → {predicted[column]}: {count}"
            parts.append(
                _cell(left + cell * column, top + cell * row, cell, count, count / total if total else 0, right, hover)
            )
    return _svg(left + cell * len(predicted) + 70, top + cell * len(gold) + 6, title, parts)


def _cell(x: float, y: float, cell: float, count: int, share: float, right: bool, hover: str) -> str:
    """One cell; mistakes have the second colour, zeros no number."""
    kind, size = "a" if right else "b", cell - 2
    opacity = round(0.08 + 0.92 * share, 3) if count else 0.04
    rect = f'<rect x="{x}" y="{y}" width="{size}" height="{size}" rx="3" class="fill {kind}" fill-opacity="{opacity}">'
    ink = "count inverse" if share > 0.55 else "count"
    label = _text(x + size / 2, y + size / 2 + 4, str(count), ink, "middle") if count else ""
    return f"{rect}<title>{escape(hover)}</title></rect>{label}"
