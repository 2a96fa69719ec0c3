"""One stream on the time axis that all panels of a page share: drawn as few paths, so that thirty panels stay light.

Everything that is drawn is readable without a script, in print and without colour. The script ``charts.js`` adds values
under the pointer and at the keyboard; it reads :func:`panel_data`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from assurance.charts.scale import Scale, covering, day_ticks, round_ticks

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 460, 44, 10, 14, 22
MARKS: dict[str, Callable[[str, str], str]] = {  # the shape says the state without colour
    "act": lambda x, y: f"M{x} {y}m-4-4h8v8h-8z",
    "watch": lambda x, y: f"M{x} {y}m0-5l5 9h-10z",
    "insufficient": lambda x, y: f"M{x} {y}m-3 0a3 3 0 1 0 6 0a3 3 0 1 0-6 0z",
    "ok": lambda x, y: f"M{x} {y}m-2 0a2 2 0 1 0 4 0a2 2 0 1 0-4 0z",
}
MOST_DOTS = 60  # with more windows the line alone shows what is ok


class Drawn(Protocol):
    """What is drawn of one window."""

    @property
    def end(self) -> datetime: ...
    @property
    def value(self) -> float | None: ...
    @property
    def state(self) -> str: ...
    @property
    def n_cases(self) -> int: ...
    @property
    def low(self) -> float | None: ...
    @property
    def high(self) -> float | None: ...
    @property
    def chance(self) -> float | None: ...


@dataclass(frozen=True, slots=True)
class Axis:
    """The shared time axis. A window stands at its end, when it was first known."""

    start: datetime
    end: datetime
    places: dict[datetime, str] = field(default_factory=dict, compare=False, repr=False)

    @property
    def scale(self) -> Scale:
        return Scale(self.start.timestamp(), self.end.timestamp(), LEFT, WIDTH - RIGHT)

    def across(self, moment: datetime) -> str:
        """The pixel of a moment. Thirty streams share a hundred window ends, so each is worked out once."""
        place = self.places.get(moment)
        if place is None:
            place = self.places[moment] = f"{self.scale(moment.timestamp()):.0f}"
        return place


@dataclass(frozen=True, slots=True)
class Decor:
    """What stands beside the values: limits, the reference's value with its interval, markers on the time axis."""

    watch: float | None = None
    act: float | None = None
    limit: float | None = None  # declared for a performance value; the limits above are of the drift statistics
    reference: tuple[float, float | None, float | None] | None = None
    markers: Sequence[tuple[datetime, str, str]] = ()  # when, word, kind ("alarm", "software", "change")
    zero: bool = True


def panel(
    steps: Sequence[Drawn], axis: Axis, *, key: str, title: str, unit: str = "", decor: Decor | None = None,
    height: int = 150,
) -> SafeString:  # fmt: skip
    """The chart of one stream as inline SVG; ``key`` ties it to its data, ``title`` names it for those who hear it."""
    # strings are put together plainly, since a page holds dozens of charts: words are escaped, all else is numbers
    decor = decor or Decor()
    y = vertical(steps, decor, height=height)
    parts = [
        _grid(y), _days(axis, height), _reference(decor, y), _chance(steps, axis, y, decor),
        _limit(decor.watch, "watch", y), _limit(decor.act, "act", y), _limit(decor.limit, "limit", y),
        _markers(decor, axis, height), _interval(steps, axis, y), _course(steps, axis, y),
    ]  # fmt: skip
    return mark_safe(  # noqa: S308 -- see above
        f'<svg class="chart panel" viewBox="0 0 {WIDTH} {height}" role="img" tabindex="0" data-panel="{escape(key)}" '
        f'aria-label="{escape(in_words(steps, title, unit))}">{"".join(parts)}</svg>'
    )


def panel_data(steps: Sequence[Drawn], *, unit: str, height: int = 150, decor: Decor | None = None) -> dict[str, Any]:
    """What the script says under the pointer: seconds, values, states by first letter, cases, limits, pixel rows."""
    y = vertical(steps, decor or Decor(), height=height)
    data: dict[str, Any] = {
        "t": [int(step.end.timestamp()) for step in steps],
        "v": [_digits(step.value) for step in steps],
        "s": "".join([step.state[0] for step in steps]),
        "n": [step.n_cases for step in steps],
        "u": unit,
        "y": [round(y.low, 6), round(y.high, 6), y.start, y.end],
    }
    for name, values in (("l", [step.low for step in steps]), ("h", [step.high for step in steps])):
        if any(value is not None for value in values):
            data[name] = [_digits(value) for value in values]
    if any(step.chance is not None for step in steps):
        data["c"] = [_digits(step.chance, 2) for step in steps]
    return data


def vertical(steps: Sequence[Drawn], decor: Decor, *, height: int) -> Scale:
    """The value axis: holds every value, its interval and the limits, in round numbers."""
    held = [part for step in steps for part in (step.value, step.low, step.high) if part is not None]
    beside = [decor.watch, decor.act, decor.limit, 0.0 if decor.zero else None, *(decor.reference or ())]
    ticks = round_ticks(*covering(held, include=[value for value in beside if value is not None]), most=4)
    return Scale(ticks[0], ticks[-1], height - BOTTOM, TOP)


def in_words(steps: Sequence[Drawn], title: str, unit: str) -> str:
    """The chart in a sentence, for those who hear it."""
    known = [step for step in steps if step.value is not None]
    if not known:
        return f"{title}: no window has a value"
    last = known[-1]
    states = [step.state for step in steps]
    return (
        f"{title}: {len(steps)} windows, last {last.value:.3g}{f' {unit}' if unit else ''} on "
        f"{last.end.date().isoformat()} ({last.state}); {states.count('act')} at act, {states.count('watch')} at "
        "watch. Arrow keys read the values."
    )


def _digits(value: float | None, digits: int = 4) -> float | None:
    return None if value is None else float(f"{value:.{digits}g}")


def _grid(y: Scale) -> str:
    ticks = [(f"{y(tick):.0f}", f"{y(tick) + 4:.0f}", f"{tick:g}") for tick in round_ticks(y.low, y.high, most=4)]
    lines = "".join([f"M{LEFT} {at}H{WIDTH - RIGHT}" for at, _, _ in ticks])
    words = "".join([f'<text x="{LEFT - 6}" y="{at}" text-anchor="end">{word}</text>' for _, at, word in ticks])
    return f'<path class="gridline" d="{lines}"/>{words}'


def _days(axis: Axis, height: int) -> str:
    form = "%b %y" if (axis.end - axis.start).days > 75 else "%d %b"
    return "".join(
        f'<text x="{axis.across(tick)}" y="{height - 6}" text-anchor="middle">{tick.strftime(form)}</text>'
        for tick in day_ticks(axis.start, axis.end, most=6)
    )


def _limit(value: float | None, name: str, y: Scale) -> str:
    if value is None:
        return ""
    kind = "act" if name == "limit" else name
    return (
        f'<path class="limit-{kind}" d="M{LEFT} {y(value):.1f}H{WIDTH - RIGHT}"/>'
        f'<text class="small-word" x="{LEFT + 3}" y="{y(value) - 3:.0f}">{name}</text>'
    )


def _reference(decor: Decor, y: Scale) -> str:
    if decor.reference is None:
        return ""
    value, low, high = decor.reference
    band = ""
    if low is not None and high is not None:
        edges = f"M{LEFT} {y(high):.1f}H{WIDTH - RIGHT}V{y(low):.1f}H{LEFT}z"
        band = f'<path class="reference-band" d="{edges}"/>'
    return (
        f'{band}<path class="reference-line" d="M{LEFT} {y(value):.1f}H{WIDTH - RIGHT}"/>'
        f'<text class="small-word" x="{WIDTH - RIGHT}" y="{y(value) - 3:.0f}" text-anchor="end">reference</text>'
    )


def _chance(steps: Sequence[Drawn], axis: Axis, y: Scale, decor: Decor) -> str:
    held = [(axis.across(step.end), step.chance) for step in steps if step.chance is not None]
    if len(held) < 2 or not decor.zero:
        return ""
    top = " ".join([f"{at},{max(TOP, y(value)):.0f}" for at, value in held])
    return f'<polygon class="band" points="{top} {held[-1][0]},{y(0):.0f} {held[0][0]},{y(0):.0f}"/>'


def _markers(decor: Decor, axis: Axis, height: int) -> str:
    places: dict[int, list[tuple[str, str]]] = {}
    for at, word, kind in decor.markers:
        if axis.start <= at <= axis.end:
            places.setdefault(int(axis.across(at)), []).append((word, kind))
    drawn = []
    for place, held in sorted(places.items()):  # what falls on one place shares one line
        kind = next((k for k in ("alarm", "software") if k in [kind for _, kind in held]), held[0][1])
        words = escape(", ".join(dict.fromkeys(word for word, _ in held)))
        anchor, start = ("end", place - 3) if place > WIDTH - 90 else ("start", place + 3)
        drawn.append(
            f'<path class="marker {kind}" d="M{place} {TOP - 2}V{height - BOTTOM}"/>'
            f'<text class="small-word" x="{start}" y="{TOP - 4}" text-anchor="{anchor}">{words}</text>'
        )
    return "".join(drawn)


def _interval(steps: Sequence[Drawn], axis: Axis, y: Scale) -> str:
    held = [
        (axis.across(step.end), f"{y(step.low):.0f}", f"{y(step.high):.0f}")
        for step in steps
        if step.low is not None and step.high is not None
    ]
    if len(held) < 2:
        return "".join([f'<path class="axis" d="M{at} {low}V{high}"/>' for at, low, high in held])
    upper = " ".join([f"{at},{high}" for at, _, high in held])
    lower = " ".join([f"{at},{low}" for at, low, _ in reversed(held)])
    return f'<polygon class="interval" points="{upper} {lower}"/>'


def _course(steps: Sequence[Drawn], axis: Axis, y: Scale) -> str:
    """The line, broken where a value is missing, and a mark for each window that has a verdict worth a mark."""
    slope = (y.end - y.start) / (y.high - y.low)
    origin = y.start - y.low * slope
    few = len(steps) <= MOST_DOTS
    pieces: list[list[str]] = [[]]
    marks: dict[str, list[str]] = {state: [] for state in MARKS}
    for step in steps:
        if step.value is None:
            pieces.append([])
            continue
        at, down = axis.across(step.end), f"{origin + slope * step.value:.1f}"
        pieces[-1].append(f"{at},{down}")
        if few or step.state != "ok":
            marks[step.state].append(MARKS[step.state](at, down))
    lines = [f'<polyline class="series" points="{" ".join(piece)}"/>' for piece in pieces if len(piece) > 1]
    points = [f'<path class="point {state}" d="{"".join(paths)}"/>' for state, paths in marks.items() if paths]
    return "".join(lines + points)


def day_start(text: str) -> datetime | None:
    """A date typed by a person (2026-03-12) as the start of that UTC day; None where it is none."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return None
