"""Small pictures for rows of a table: a sparkline and a strip of states."""

from collections.abc import Sequence

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from assurance.charts.scale import Scale, covering

MARKS = {"act": "M{x} {y}m-3-3h6v6h-6z", "watch": "M{x} {y}m0-4l4 7h-8z"}  # as on the large charts: shape, then colour


def sparkline(
    values: Sequence[float | None], *, title: str, limit: float | None = None, state: str = "", zero: bool = True,
    width: int = 120, height: int = 30,
) -> SafeString:  # fmt: skip
    """The course of ``values``; None breaks the line. ``limit`` is the act line, ``state`` marks the last value."""
    known = [value for value in values if value is not None]
    if not known:
        return format_html('<span class="soft small">no data</span>')
    include = [*([0.0] if zero else []), *([limit] if limit is not None else [])]
    low, high = covering(known, include=include)
    x = Scale(0, max(1, len(values) - 1), 3, width - 6)
    y = Scale(low, high, height - 4, 5)
    # one path of whole pixels: a page holds hundreds of these
    step, slope = (width - 9) / max(1, len(values) - 1), (9 - height) / (high - low)
    course, pen = [], "M"
    for place, value in enumerate(values):
        if value is None:
            pen = "M"
        else:
            course.append(f"{pen}{3 + place * step:.0f} {height - 4 + (value - low) * slope:.0f}")
            pen = "L"
    lines = format_html('<path class="series" d="{}"/>', "".join(course))
    last = max(place for place, value in enumerate(values) if value is not None)
    at = {"x": f"{x(last):.0f}", "y": f"{y(values[last] or 0.0):.0f}"}
    mark = MARKS.get(state, "M{x} {y}m-2.5 0a2.5 2.5 0 1 0 5 0a2.5 2.5 0 1 0-5 0z").format(**at)
    line: SafeString | str = ""
    if limit is not None:
        line = format_html('<path class="limit-act" d="M2 {}H{}"/>', f"{y(limit):.0f}", width)
    return format_html(
        '<svg class="spark" width="{}" height="{}" viewBox="0 0 {} {}" role="img" aria-label="{}">{}{}'
        '<path class="point {}" d="{}"/></svg>',
        width, height, width, height, title, line, lines, state or "ok", mark,
    )  # fmt: skip


def state_strip(
    rows: Sequence[tuple[str, Sequence[tuple[str, str, str]]]], *, cell: int = 18, label: int = 190
) -> SafeString:
    """Signals × windows as cells. ``rows`` holds (signal, [(state, tip, href), ...]); each state has its own mark."""
    columns = max((len(cells) for _, cells in rows), default=0)
    width, height = label + columns * cell + 4, len(rows) * (cell + 2) + 4
    parts = []
    for down, (name, cells) in enumerate(rows):
        top = down * (cell + 2) + 2
        parts.append(format_html('<text x="{}" y="{}" text-anchor="end">{}</text>', label - 8, top + 13, name))
        for across, (state, tip, href) in enumerate(cells):
            left = label + across * cell
            mark = {"act": "!", "watch": "~"}.get(state, "")
            box = format_html(
                '<rect class="cell {}" x="{}" y="{}" width="{}" height="{}" rx="2" tabindex="0" data-tip="{}"/>'
                '<text x="{}" y="{}" text-anchor="middle" pointer-events="none">{}</text>',
                state, left, top, cell - 2, cell - 1, tip, left + cell / 2 - 1, top + 13, mark,
            )  # fmt: skip
            parts.append(format_html('<a href="{}">{}</a>', href, box) if href else box)
    return format_html(
        '<svg class="chart" style="min-width:{}px" viewBox="0 0 {} {}" role="group" '
        'aria-label="States of signals by window">{}</svg>',
        min(width, 900), width, height, format_html_join("", "{}", ((part,) for part in parts)),
    )  # fmt: skip


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
