"""A picture as SVG: the same shapes, turned the right way up."""

from __future__ import annotations

from html import escape

from reporting.dossier.charts.picture import Disc, Line, Picture, Shape, Words


def svg(picture: Picture, *, title: str) -> bytes:
    h = picture.height
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_n(picture.width)}pt" height="{_n(h)}pt" '
        f'viewBox="0 0 {_n(picture.width)} {_n(h)}" font-family="Source Sans Pro, DejaVu Sans, sans-serif" role="img">',
        f"<title>{escape(title)}</title>",
    ]
    for mark in picture.marks:
        if isinstance(mark, Line):
            dash = f' stroke-dasharray="{" ".join(_n(d) for d in mark.dash)}"' if mark.dash else ""
            parts.append(
                f'<polyline points="{_points(mark.points, h)}" fill="none" stroke="{mark.colour}" '
                f'stroke-width="{_n(mark.width)}"{dash}/>'
            )
        elif isinstance(mark, Shape):
            parts.append(f'<polygon points="{_points(mark.points, h)}" {_paint(mark)}/>')
        elif isinstance(mark, Disc):
            x, y = mark.centre
            parts.append(f'<circle cx="{_n(x)}" cy="{_n(h - y)}" r="{_n(mark.radius)}" {_paint(mark)}/>')
        elif isinstance(mark, Words):
            x, y = mark.at[0], h - mark.at[1]
            turn = f' transform="rotate(-90 {_n(x)} {_n(y)})"' if mark.upright else ""
            weight = ' font-weight="600"' if mark.strong else ""
            parts.append(
                f'<text x="{_n(x)}" y="{_n(y)}" font-size="{_n(mark.size)}" fill="{mark.colour}" '
                f'text-anchor="{mark.anchor}"{weight}{turn}>{escape(mark.text)}</text>'
            )
    return "\n".join([*parts, "</svg>", ""]).encode()


def _points(points: tuple[tuple[float, float], ...], height: float) -> str:
    return " ".join(f"{_n(x)},{_n(height - y)}" for x, y in points)


def _paint(mark: Shape | Disc) -> str:
    border = f'stroke="{mark.border}" stroke-width="{_n(mark.width)}"' if mark.border else 'stroke="none"'
    return f'fill="{mark.fill or "none"}" {border}'


def _n(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") or "0"
