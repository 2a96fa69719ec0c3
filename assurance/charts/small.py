"""Small pictures for rows of a table: a sparkline and a strip of states."""

from collections.abc import Sequence

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from assurance.charts.scale import Scale, covering


def sparkline(
    values: Sequence[float | None], *, title: str, limit: float | None = None, width: int = 132, height: int = 30
) -> SafeString:
    """The course of ``values``; None breaks the line. ``limit`` is the act line."""
    known = [value for value in values if value is not None]
    if not known:
        return format_html('<span class="soft small">no data</span>')
    low, high = covering(known, include=(0.0, *([limit] if limit is not None else [])))
    x = Scale(0, max(1, len(values) - 1), 3, width - 5)
    y = Scale(low, high, height - 3, 4)
    pieces: list[list[str]] = [[]]
    for place, value in enumerate(values):
        if value is None:
            pieces.append([])
        else:
            pieces[-1].append(f"{x(place):.1f},{y(value):.1f}")
    lines = format_html_join(
        "", '<polyline class="series" points="{}"/>', ((" ".join(p),) for p in pieces if len(p) > 1)
    )
    last = max(place for place, value in enumerate(values) if value is not None)
    dot = format_html(
        '<circle class="bar-fill" cx="{}" cy="{}" r="2.6"/>', f"{x(last):.1f}", f"{y(values[last] or 0):.1f}"
    )
    line = ""
    if limit is not None:
        line = format_html(
            '<line class="limit-act" x1="2" x2="{}" y1="{}" y2="{}"/>', width, f"{y(limit):.1f}", f"{y(limit):.1f}"
        )
    return format_html(
        '<svg width="{}" height="{}" viewBox="0 0 {} {}" role="img" aria-label="{}">{}{}{}</svg>',
        width, height, width, height, title, line, lines, dot,
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
