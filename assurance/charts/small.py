"""Small pictures: a course for a row of a table, and two distributions over each other."""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import groupby

from django.utils.html import escape, format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from assurance.charts.scale import Scale, covering

MARKS = {"act": "m-3-3h6v6h-6z", "watch": "m0-4l4 7h-8z"}  # as on the large charts: shape, then colour
DOT = "m-2.5 0a2.5 2.5 0 1 0 5 0a2.5 2.5 0 1 0-5 0z"


@lru_cache(maxsize=256)
def _across(many: int, width: int) -> tuple[int, ...]:
    step = (width - 9) / max(1, many - 1)
    return tuple(round(3 + place * step) for place in range(many))


@lru_cache(maxsize=65_536)
def _step(x: int, to_x: int, y: int, to_y: int) -> str:
    return f"l{to_x - x}{'' if to_y < y else ' '}{to_y - y}"


def _pieces(values: Sequence[float | None]) -> Iterator[tuple[int, Sequence[float]]]:
    """(place of the first, values) of each run without a gap."""
    if None not in values:
        yield 0, values  # type: ignore[misc]
        return
    place = 0
    for missing, run in groupby(values, key=lambda value: value is None):
        held = list(run)
        if not missing:
            yield place, held  # type: ignore[misc]
        place += len(held)


def sparkline(
    values: Sequence[float | None], *, title: str, limit: float | None = None, state: str = "", zero: bool = True,
    width: int = 120, height: int = 30,
) -> SafeString:  # fmt: skip
    """The course of ``values``; None breaks the line. ``limit`` is the act line, ``state`` marks the last value."""
    known = [value for value in values if value is not None]
    if not known:
        return mark_safe('<span class="soft small">no data</span>')
    include = [*([0.0] if zero else []), *([limit] if limit is not None else [])]
    low, high = covering(known, include=include)
    slope = (9 - height) / (high - low)
    origin = height - 4 - low * slope
    # whole pixels and steps from point to point, put together plainly: a page holds hundreds of these
    course, x, y = [], 0, 0
    for start, piece in _pieces(values):
        across = _across(len(values), width)[start : start + len(piece)]
        down = [round(origin + slope * value) for value in piece]
        course.append(f"M{across[0]} {down[0]}" + "".join(map(_step, across, across[1:], down, down[1:])))
        x, y = across[-1], down[-1]
    mark = f"M{x} {y}{MARKS.get(state, DOT)}"
    line = f'<path class="limit-act" d="M2 {origin + slope * limit:.0f}H{width}"/>' if limit is not None else ""
    return mark_safe(  # noqa: S308 -- see above
        f'<svg class="spark" width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{escape(title)}"><path class="series" d="{"".join(course)}"/>{line}'
        f'<path class="point {escape(state or "ok")}" d="{mark}"/></svg>'
    )


def histogram_pair(
    shares: tuple[Sequence[float], Sequence[float]],
    *,
    labels: Sequence[str],
    title: str,
    width: int = 560,
    height: int = 190,
) -> SafeString:
    """Reference (outline) against current (filled) shares by bin."""
    reference, current = shares
    bottom, top, left = height - 34, 8, 40
    most = max([*reference, *current, 1e-9])
    y = Scale(0, most, bottom, top)
    step = (width - left - 8) / max(1, len(current))
    bar = '<rect class="bar-fill" x="{}" y="{}" width="{}" height="{}" tabindex="0" data-tip="{}"/>'
    bars = format_html_join("", bar, (
        (f"{left + i * step + 1:.1f}", f"{y(v):.1f}", f"{step - 2:.1f}", f"{bottom - y(v):.1f}",
         f"{labels[i]}: current {v:.1%}, reference {reference[i]:.1%}")
        for i, v in enumerate(current)
    ))  # fmt: skip
    outline = format_html_join("", '<polyline class="axis" points="{}"/>', (
        (f"{left + i * step + 1:.1f},{y(v):.1f} {left + (i + 1) * step - 1:.1f},{y(v):.1f}",)
        for i, v in enumerate(reference)
    ))  # fmt: skip
    every = max(1, len(labels) // 7)
    names = format_html_join("", '<text x="{}" y="{}" text-anchor="middle">{}</text>', (
        (f"{left + (i + 0.5) * step:.1f}", bottom + 14, labels[i]) for i in range(0, len(labels), every)
    ))  # fmt: skip
    scale = format_html('<text x="{}" y="{}" text-anchor="end">{}</text>', left - 5, top + 8, f"{most:.0%}")
    return format_html(
        '<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">{}{}{}{}</svg>',
        width, height, title, bars, outline, names, scale,
    )  # fmt: skip
