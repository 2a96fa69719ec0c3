"""How a value changes with the severity of a shift: points with intervals on whole severities."""

from collections.abc import Sequence

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from assurance.charts.scale import Scale, covering, round_ticks

LEFT, RIGHT, TOP, BOTTOM = 52, 16, 12, 34


def severity_curve(
    points: Sequence[tuple[int, float, float, float, str]], *, label: str, limit: float | None = None, width: int = 420,
    height: int = 220,
) -> SafeString:  # fmt: skip
    """``points`` are (severity, value, low, high, state); 0 = clean is drawn as the line of no change."""
    spread = [edge for point in points for edge in point[1:4]]
    ticks = round_ticks(
        *covering([float(edge) for edge in spread], include=[0.0, *([limit] if limit is not None else [])])
    )
    x = Scale(0, max(point[0] for point in points) + 0.4, LEFT, width - RIGHT)
    y = Scale(ticks[0], ticks[-1], height - BOTTOM, TOP)
    grid = format_html_join(
        "", '<line class="gridline" x1="{}" y1="{}" x2="{}" y2="{}"/><text x="{}" y="{}" text-anchor="end">{}</text>',
        ((LEFT, f"{y(t):.1f}", width - RIGHT, f"{y(t):.1f}", LEFT - 6, f"{y(t) + 4:.1f}", f"{t:g}") for t in ticks),
    )  # fmt: skip
    names = format_html_join(
        "", '<text x="{}" y="{}" text-anchor="middle">{}</text>',
        ((f"{x(s):.1f}", height - BOTTOM + 16, "clean" if s == 0 else s) for s in (0, *(p[0] for p in points))),
    )  # fmt: skip
    bound = (
        format_html(
            '<line class="limit-watch" x1="{}" y1="{}" x2="{}" y2="{}"/>', LEFT, f"{y(limit):.1f}", width - RIGHT,
            f"{y(limit):.1f}",
        )
        if limit is not None
        else ""
    )  # fmt: skip
    line = " ".join(f"{x(s):.1f},{y(v):.1f}" for s, v in ((0, 0.0), *((p[0], p[1]) for p in points)))
    marks = format_html_join(
        "",
        '<line class="axis" x1="{0}" y1="{1}" x2="{0}" y2="{2}"/><circle class="point {3}" cx="{0}" cy="{4}" r="4.5"/>',
        ((f"{x(s):.1f}", f"{y(low):.1f}", f"{y(high):.1f}", state, f"{y(v):.1f}") for s, v, low, high, state in points),
    )
    told = "; ".join(f"severity {s}: {v:.3g} ({low:.3g} to {high:.3g})" for s, v, low, high, _ in points)
    return format_html(
        '<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}: {}">{}{}{}'
        '<polyline class="series" points="{}"/>{}'
        '<text x="{}" y="{}" text-anchor="middle">severity of the shift</text></svg>',
        width, height, label, told, grid, names, bound, line, marks, (LEFT + width - RIGHT) / 2, height - 4,
    )  # fmt: skip
