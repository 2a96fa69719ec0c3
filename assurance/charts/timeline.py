"""A series over time with its limits, as inline SVG: readable without colour, without a script and on paper."""

from collections.abc import Sequence
from datetime import datetime

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from assurance.charts.points import Limits, Marker, Point, Series
from assurance.charts.scale import Scale, covering, day_ticks, round_ticks

LEFT, RIGHT, TOP, BOTTOM = 46, 12, 10, 24


def timeline(
    series: Series, *, start: datetime, end: datetime, limits: Limits | None = None, markers: tuple[Marker, ...] = (),
    unit: str = "", width: int = 640, height: int = 170, zero: bool = True,
) -> SafeString:  # fmt: skip
    """Draw ``series`` between ``start`` and ``end``.

    Windows without enough cases are hollow; a missing value breaks the line. ``zero`` keeps 0 in view, which drift
    statistics need and performance does not.
    """
    limits = limits or Limits()
    known = [point for point in series.points if point.value is not None]
    spread = [value for point in known for value in (point.value, point.low, point.high) if value is not None]
    include = [value for value in (limits.watch, limits.act, 0.0 if zero else None) if value is not None]
    ticks = round_ticks(*covering(spread, include=include))
    x = Scale(start.timestamp(), end.timestamp(), LEFT, width - RIGHT)
    y = Scale(ticks[0], ticks[-1], height - BOTTOM, TOP)
    parts = [
        _grid(ticks, y, width),
        _days(start, end, x, height),
        _null_band(limits, x, y, zero),
        _limit(limits.watch, "watch", y, width),
        _limit(limits.act, "act", y, width),
        _markers(markers, x, height),
        _intervals(known, x, y),
        _line(series.points, x, y),
        _dots(known, x, y),
    ]
    return format_html(
        '<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>',
        width, height, describe(series, unit), format_html_join("", "{}", ((part,) for part in parts)),
    )  # fmt: skip


def describe(series: Series, unit: str) -> str:
    """The chart in a sentence, for those who hear it."""
    known = [point for point in series.points if point.value is not None]
    if not known:
        return f"{series.name}: no window has enough cases"
    last = known[-1]
    acts = sum(point.state == "act" for point in series.points)
    return (
        f"{series.name}: {len(known)} windows, last {last.value:.3g}{' ' + unit if unit not in ('', '1') else ''} on "
        f"{last.at.date().isoformat()} ({last.state}), {acts} in state act"
    )


def _grid(ticks: list[float], y: Scale, width: int) -> SafeString:
    rows = ((LEFT, y(tick), width - RIGHT, y(tick), LEFT - 6, y(tick) + 4, f"{tick:g}") for tick in ticks)
    line = '<line class="gridline" x1="{}" y1="{}" x2="{}" y2="{}"/><text x="{}" y="{}" text-anchor="end">{}</text>'
    return format_html_join("", line, (tuple(_short(cell) for cell in row) for row in rows))


def _days(start: datetime, end: datetime, x: Scale, height: int) -> SafeString:
    ticks = day_ticks(start, end)
    form = "%b %y" if (end - start).days > 75 else "%d %b"
    rows = ((_short(x(tick.timestamp())), height - 7, tick.strftime(form)) for tick in ticks)
    return format_html_join("", '<text x="{}" y="{}" text-anchor="middle">{}</text>', rows)


def _limit(value: float | None, name: str, y: Scale, width: int) -> SafeString | str:
    if value is None:
        return ""
    return format_html(
        '<line class="limit-{}" x1="{}" y1="{}" x2="{}" y2="{}"/><text x="{}" y="{}" text-anchor="end">{}</text>',
        name, LEFT, _short(y(value)), width - RIGHT, _short(y(value)), width - RIGHT, _short(y(value) - 3), name,
    )  # fmt: skip


def _null_band(limits: Limits, x: Scale, y: Scale, zero: bool) -> SafeString | str:
    if not limits.null or not zero:
        return ""
    top = " ".join(f"{_short(x(at.timestamp()))},{_short(max(TOP, y(value)))}" for at, value in limits.null)
    first, last = limits.null[0][0], limits.null[-1][0]
    floor = f"{_short(x(last.timestamp()))},{_short(y(0))} {_short(x(first.timestamp()))},{_short(y(0))}"
    return format_html('<polygon class="band" points="{} {}"/>', top, floor)


def _markers(markers: tuple[Marker, ...], x: Scale, height: int) -> SafeString:
    rows = (
        (_short(x(m.at.timestamp())), TOP, _short(x(m.at.timestamp())), height - BOTTOM, m.title,
         _short(x(m.at.timestamp()) + 3), TOP + 9, m.title)
        for m in markers
    )  # fmt: skip
    return format_html_join(
        "", '<line class="marker" x1="{}" y1="{}" x2="{}" y2="{}" data-tip="{}"/><text x="{}" y="{}">{}</text>', rows
    )


def _intervals(points: list[Point], x: Scale, y: Scale) -> SafeString:
    rows = (
        (_short(x(p.at.timestamp())), _short(y(p.low)), _short(x(p.at.timestamp())), _short(y(p.high)))
        for p in points
        if p.low is not None and p.high is not None
    )
    return format_html_join("", '<line class="axis" x1="{}" y1="{}" x2="{}" y2="{}"/>', rows)


def _line(points: Sequence[Point], x: Scale, y: Scale) -> SafeString:
    pieces: list[list[str]] = []
    piece: list[str] = []
    for point in points:
        if point.value is None:
            pieces.append(piece)
            piece = []
        else:
            piece.append(f"{_short(x(point.at.timestamp()))},{_short(y(point.value))}")
    pieces.append(piece)
    lines = ((" ".join(part),) for part in pieces if len(part) > 1)
    return format_html_join("", '<polyline class="series" points="{}"/>', lines)


def _dots(points: list[Point], x: Scale, y: Scale) -> SafeString:
    rows = ((_dot(point, _short(x(point.at.timestamp())), _short(y(point.value or 0.0))),) for point in points)
    return format_html_join("", "{}", rows)


def _dot(point: Point, across: str, down: str) -> SafeString:
    across_value, down_value = float(across), float(down)
    if point.state == "act":  # a square, a triangle, a circle: the state is read without colour too
        shape = format_html('<rect x="{}" y="{}" width="8" height="8"', across_value - 4, down_value - 4)
    elif point.state == "watch":
        corners = (
            f"{across_value},{down_value - 5} {across_value + 5},{down_value + 4} {across_value - 5},{down_value + 4}"
        )
        shape = format_html('<polygon points="{}"', corners)
    else:
        shape = format_html('<circle cx="{}" cy="{}" r="3.4"', across, down)
    mark = format_html('{} class="point {}" tabindex="0" data-tip="{}"/>', shape, point.state, point.tip)
    return format_html('<a href="{}">{}</a>', point.href, mark) if point.href else mark


def _short(value: object) -> str:
    return f"{value:.1f}" if isinstance(value, float) else str(value)
