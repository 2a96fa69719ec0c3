"""One stream on the time axis that all panels of a page share: drawn as few paths, so that thirty panels stay light.

Everything that is drawn is readable without a script, in print and without colour. The script ``charts.js`` adds values
under the pointer and at the keyboard; it reads :func:`panel_data`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from assurance.charts.scale import Scale, covering, day_ticks, round_ticks

WIDTH, LEFT, RIGHT, TOP, BOTTOM = 460, 44, 10, 14, 22
MARKS: dict[str, Callable[[int, int], str]] = {  # the shape says the state without colour
    "act": lambda x, y: f"M{x - 4} {y - 4}h8v8h-8z",
    "watch": lambda x, y: f"M{x} {y - 5}l5 9h-10z",
    "insufficient": lambda x, y: f"M{x - 3} {y}a3 3 0 1 0 6 0a3 3 0 1 0-6 0z",
    "ok": lambda x, y: f"M{x - 2} {y}a2 2 0 1 0 4 0a2 2 0 1 0-4 0z",
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

    @property
    def scale(self) -> Scale:
        return Scale(self.start.timestamp(), self.end.timestamp(), LEFT, WIDTH - RIGHT)


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
    decor = decor or Decor()
    y = vertical(steps, decor, height=height)
    x = axis.scale
    parts = [
        _grid(y, height), _days(axis, x, height), _reference(decor, y), _chance(steps, x, y, decor),
        _limit(decor.watch, "watch", y), _limit(decor.act, "act", y), _limit(decor.limit, "limit", y),
        _markers(decor, axis, x, height),
        _interval(steps, x, y), _line(steps, x, y), _marks(steps, x, y),
    ]  # fmt: skip
    return format_html(
        '<svg class="chart panel" viewBox="0 0 {} {}" role="img" tabindex="0" data-panel="{}" aria-label="{}">{}</svg>',
        WIDTH, height, key, in_words(steps, title, unit), format_html_join("", "{}", ((part,) for part in parts)),
    )  # fmt: skip


def panel_data(steps: Sequence[Drawn], *, unit: str, height: int = 150, decor: Decor | None = None) -> dict[str, Any]:
    """What the script says under the pointer: seconds, values, states by first letter, cases, limits, pixel rows."""
    y = vertical(steps, decor or Decor(), height=height)
    data: dict[str, Any] = {
        "t": [int(step.end.timestamp()) for step in steps],
        "v": [_digits(step.value) for step in steps],
        "s": "".join(step.state[0] for step in steps),
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
    acts = sum(step.state == "act" for step in steps)
    watches = sum(step.state == "watch" for step in steps)
    return (
        f"{title}: {len(steps)} windows, last {last.value:.3g}{f' {unit}' if unit else ''} on "
        f"{last.end.date().isoformat()} ({last.state}); {acts} at act, {watches} at watch. Arrow keys read the values."
    )


def _digits(value: float | None, digits: int = 4) -> float | None:
    return None if value is None else float(f"{value:.{digits}g}")


def _grid(y: Scale, height: int) -> SafeString:
    ticks = round_ticks(y.low, y.high, most=4)
    lines = "".join(f"M{LEFT} {y(tick):.0f}H{WIDTH - RIGHT}" for tick in ticks)
    words = format_html_join(
        "", '<text x="{}" y="{}" text-anchor="end">{}</text>',
        ((LEFT - 6, f"{y(tick) + 4:.0f}", f"{tick:g}") for tick in ticks),
    )  # fmt: skip
    return format_html('<path class="gridline" d="{}"/>{}', lines, words)


def _days(axis: Axis, x: Scale, height: int) -> SafeString:
    ticks = day_ticks(axis.start, axis.end, most=6)
    form = "%b %y" if (axis.end - axis.start).days > 75 else "%d %b"
    return format_html_join(
        "", '<text x="{}" y="{}" text-anchor="middle">{}</text>',
        ((f"{x(tick.timestamp()):.0f}", height - 6, tick.strftime(form)) for tick in ticks),
    )  # fmt: skip


def _limit(value: float | None, name: str, y: Scale) -> SafeString | str:
    if value is None:
        return ""
    return format_html(
        '<path class="limit-{}" d="M{} {}H{}"/><text class="small-word" x="{}" y="{}">{}</text>',
        "act" if name == "limit" else name, LEFT, f"{y(value):.1f}", WIDTH - RIGHT, LEFT + 3, f"{y(value) - 3:.0f}",
        name,
    )  # fmt: skip


def _reference(decor: Decor, y: Scale) -> SafeString | str:
    if decor.reference is None:
        return ""
    value, low, high = decor.reference
    band: SafeString | str = ""
    if low is not None and high is not None:
        band = format_html(
            '<path class="reference-band" d="M{0} {1}H{2}V{3}H{0}z"/>',
            LEFT, f"{y(high):.1f}", WIDTH - RIGHT, f"{y(low):.1f}",
        )  # fmt: skip
    return format_html(
        '{}<path class="reference-line" d="M{} {}H{}"/><text class="small-word" x="{}" y="{}">reference</text>',
        band, LEFT, f"{y(value):.1f}", WIDTH - RIGHT, LEFT + 3, f"{y(value) - 3:.0f}",
    )  # fmt: skip


def _chance(steps: Sequence[Drawn], x: Scale, y: Scale, decor: Decor) -> SafeString | str:
    held = [(step.end.timestamp(), step.chance) for step in steps if step.chance is not None]
    if len(held) < 2 or not decor.zero:
        return ""
    top = " ".join(f"{x(at):.0f},{max(TOP, y(value)):.0f}" for at, value in held)
    return format_html(
        '<polygon class="band" points="{} {},{} {},{}"/>',
        top, *(f"{number:.0f}" for number in (x(held[-1][0]), y(0), x(held[0][0]), y(0))),
    )  # fmt: skip


def _markers(decor: Decor, axis: Axis, x: Scale, height: int) -> SafeString:
    places: dict[int, list[tuple[str, str]]] = {}
    for at, word, kind in decor.markers:
        if axis.start <= at <= axis.end:
            places.setdefault(round(x(at.timestamp())), []).append((word, kind))
    rows = []
    for place, held in sorted(places.items()):  # what falls on one place shares one line
        kind = next((k for k in ("alarm", "software") if k in [kind for _, kind in held]), held[0][1])
        right = place > WIDTH - 90
        words = ", ".join(dict.fromkeys(word for word, _ in held))
        rows.append((kind, place, TOP - 2, height - BOTTOM, place + (-3 if right else 3), TOP - 4,
                     "end" if right else "start", words))  # fmt: skip
    return format_html_join(
        "", '<path class="marker {}" d="M{} {}V{}"/><text class="small-word" x="{}" y="{}" text-anchor="{}">{}</text>',
        rows,
    )  # fmt: skip


def _interval(steps: Sequence[Drawn], x: Scale, y: Scale) -> SafeString | str:
    held = [
        (x(step.end.timestamp()), step.low, step.high)
        for step in steps
        if step.low is not None and step.high is not None
    ]
    if len(held) < 2:
        return format_html_join(
            "", '<path class="axis" d="M{} {}V{}"/>', ((f"{at:.0f}", f"{y(a):.0f}", f"{y(b):.0f}") for at, a, b in held)
        )
    upper = " ".join(f"{at:.0f},{y(high):.0f}" for at, _, high in held)
    lower = " ".join(f"{at:.0f},{y(low):.0f}" for at, low, _ in reversed(held))
    return format_html('<polygon class="interval" points="{} {}"/>', upper, lower)


def _line(steps: Sequence[Drawn], x: Scale, y: Scale) -> SafeString:
    pieces: list[list[str]] = [[]]
    for step in steps:
        if step.value is None:
            pieces.append([])
        else:
            pieces[-1].append(f"{x(step.end.timestamp()):.0f},{y(step.value):.1f}")
    return format_html_join(
        "", '<polyline class="series" points="{}"/>', ((" ".join(piece),) for piece in pieces if len(piece) > 1)
    )


def _marks(steps: Sequence[Drawn], x: Scale, y: Scale) -> SafeString:
    shown = [step for step in steps if step.value is not None and (step.state != "ok" or len(steps) <= MOST_DOTS)]
    parts = []
    for state, mark in MARKS.items():
        path = "".join(
            mark(round(x(step.end.timestamp())), round(y(step.value or 0.0))) for step in shown if step.state == state
        )
        if path:
            parts.append(f'<path class="point {state}" d="{path}"/>')
    return mark_safe("".join(parts))  # noqa: S308 -- numbers and the four words above


def day_start(text: str) -> datetime | None:
    """A date typed by a person (2026-03-12) as the start of that UTC day; None where it is none."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return None
