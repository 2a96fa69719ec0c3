"""Plain SVG line charts for docs/evidence, readable in a browser and on a printed page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from assurance.charts.scale import Scale

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 640, 360, 64, 48, 34, 150
INKS = ("#1f5fa8", "#b3541e", "#2b7a3d", "#7b3f98", "#8a6d00", "#a8234b", "#3b6e78")
DASHES = ("", "6 3", "2 3", "8 3 2 3", "10 4", "4 4", "1 3")


def line_chart(
    series: Mapping[str, Sequence[tuple[float, float]]], *, title: str, x_title: str, y_title: str,
    x_ticks: Sequence[float], y_ticks: Sequence[float], limit: float | None = None, limit_name: str = "",
) -> str:  # fmt: skip
    """Lines by name, each in its own ink and dash so that print without colour still tells them apart.

    The x positions are places in ``x_ticks`` (an even scale of the sizes used); ``limit`` is a horizontal line.
    """
    x = Scale(0, len(x_ticks) - 1, LEFT, WIDTH - RIGHT)
    y = Scale(y_ticks[0], y_ticks[-1], HEIGHT - BOTTOM, TOP)
    place = {tick: at for at, tick in enumerate(x_ticks)}
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'font-family="sans-serif" font-size="12">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        f'<text x="{LEFT}" y="18" font-weight="bold">{escape(title)}</text>',
    ]
    for tick in y_ticks:
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(tick):.1f}" y2="{y(tick):.1f}" stroke="#ddd"/>'
            f'<text x="{LEFT - 6}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:g}</text>'
        )
    for tick in x_ticks:
        parts.append(f'<text x="{x(place[tick]):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{tick:g}</text>')
    parts.append(
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 10}" text-anchor="middle">{escape(x_title)}</text>'
        f'<text transform="translate(16 {(TOP + HEIGHT - BOTTOM) / 2}) rotate(-90)" text-anchor="middle">'
        f"{escape(y_title)}</text>"
    )
    if limit is not None:
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(limit):.1f}" y2="{y(limit):.1f}" stroke="#000" '
            f'stroke-dasharray="3 3"/><text x="{WIDTH - RIGHT + 6}" y="{y(limit) + 4:.1f}">{escape(limit_name)}</text>'
        )
    for number, (name, points) in enumerate(series.items()):
        ink, dash = INKS[number % len(INKS)], DASHES[number % len(DASHES)]
        path = " ".join(f"{x(place[a]):.1f},{y(min(max(b, y_ticks[0]), y_ticks[-1])):.1f}" for a, b in points)
        row = TOP + 14 + 17 * number
        style = f'fill="none" stroke="{ink}" stroke-width="2" stroke-dasharray="{dash}"'
        parts.append(f'<polyline points="{path}" {style}/>')
        parts.append(
            f'<line x1="{WIDTH - RIGHT + 8}" x2="{WIDTH - RIGHT + 32}" y1="{row}" y2="{row}" {style}/>'
            f'<text x="{WIDTH - RIGHT + 37}" y="{row + 4}" font-size="11">{escape(name)}</text>'
        )
    return "\n".join([*parts, "</svg>", ""])
