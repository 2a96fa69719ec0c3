"""A forest plot: one row for each site, the pooled value and where a further site is expected."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from assurance.charts.scale import Scale, covering, round_ticks

LEFT, RIGHT, ROW, TOP = 170, 150, 26, 12


@dataclass(frozen=True, slots=True)
class ForestRow:
    """``kind`` is "site" (square), "pooled" (diamond) or "prediction" (bar without a centre)."""

    name: str
    value: float
    low: float
    high: float
    note: str
    kind: str = "site"


def forest(
    rows: Sequence[ForestRow],
    *,
    label: str,
    include: Sequence[float] = (),
    width: int = 760,
    line_at: float | None = None,
) -> SafeString:
    """Draw ``rows`` from top to bottom on one axis; ``line_at`` is the declared limit."""
    spread = [edge for row in rows for edge in (row.low, row.high)]
    extra = [*include, *([line_at] if line_at is not None else [])]
    ticks = round_ticks(*covering(spread, include=extra), most=6)
    x = Scale(ticks[0], ticks[-1], LEFT, width - RIGHT)
    height = TOP + ROW * len(rows) + 34
    floor = TOP + ROW * len(rows) + 6
    grid = format_html_join(
        "",
        '<line class="gridline" x1="{0}" y1="{1}" x2="{0}" y2="{2}"/>'
        '<text x="{0}" y="{3}" text-anchor="middle">{4}</text>',
        ((f"{x(tick):.1f}", TOP, floor, floor + 16, f"{tick:g}") for tick in ticks),
    )  # fmt: skip
    limit = (
        format_html('<line class="limit-act" x1="{0}" y1="{1}" x2="{0}" y2="{2}"/>', f"{x(line_at):.1f}", TOP, floor)
        if line_at is not None
        else ""
    )
    body = format_html_join(
        "", "{}", ((_row(row, TOP + ROW * place + ROW / 2, x, width),) for place, row in enumerate(rows))
    )
    told = "; ".join(f"{row.name} {row.value:.3g} ({row.low:.3g} to {row.high:.3g})" for row in rows)
    return format_html(
        '<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}: {}">{}{}{}</svg>',
        width, height, label, told, grid, limit, body,
    )  # fmt: skip


def _row(row: ForestRow, y: float, x: Scale, width: int) -> SafeString:
    low, high, at = x(row.low), x(row.high), x(row.value)
    if row.kind == "pooled":
        mark = format_html(
            '<polygon class="point ok" points="{},{} {},{} {},{} {},{}"/>',
            f"{low:.1f}", y, f"{at:.1f}", y - 7, f"{high:.1f}", y, f"{at:.1f}", y + 7,
        )  # fmt: skip
    else:
        bar = format_html('<line class="axis" x1="{}" y1="{}" x2="{}" y2="{}"/>', f"{low:.1f}", y, f"{high:.1f}", y)
        square = (
            format_html('<rect class="bar-fill" x="{}" y="{}" width="9" height="9"/>', f"{at - 4.5:.1f}", y - 4.5)
            if row.kind == "site"
            else ""
        )
        mark = format_html("{}{}", bar, square)
    return format_html(
        '<text x="{}" y="{}" text-anchor="end">{}</text>{}<text x="{}" y="{}">{}</text>',
        LEFT - 12, y + 4, row.name, mark, width - RIGHT + 12, y + 4, row.note,
    )  # fmt: skip
