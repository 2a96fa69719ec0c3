"""Small drawn things: strings with fallback fonts, state shapes, pictures, the project's mark."""

from __future__ import annotations

from typing import Any

from reportlab.lib.colors import HexColor

from reporting.dossier.charts.picture import Disc, Line, Picture, Shape
from reporting.dossier.pdf.fonts import BODY, STRONG, segments, width
from reporting.dossier.pdf.looks import PAPER, STATE


def write(
    canvas: Any, x: float, y: float, text: str, *, font: str = BODY, size: float = 9, anchor: str = "start"
) -> None:
    """One line of text in the current fill colour."""
    if anchor != "start":
        whole = width(text, font, size)
        x -= whole if anchor == "end" else whole / 2
    parts = segments(text, font)
    put_text = getattr(canvas, "put_text", None)  # the dossier's own canvas has a shorter way
    for face, part in parts:
        if put_text is not None:
            put_text(x, y, part, face, size)
        else:
            canvas.setFont(face, size)
            canvas.drawString(x, y, part)
        if len(parts) > 1:
            x += width(part, face, size)


def state_shape(canvas: Any, x: float, y: float, state: str, size: float = 3.0) -> None:
    """The state's shape centred on (x, y): disc with tick, triangle, square with bar, dashed ring."""
    colour = STATE.get(state, STATE["insufficient"])[0]
    canvas.setFillColor(colour)
    canvas.setStrokeColor(colour)
    canvas.setLineWidth(0.8)
    if state == "ok":
        canvas.circle(x, y, size, stroke=0, fill=1)
        canvas.setStrokeColor(PAPER)
        canvas.lines(
            [
                (x - 0.5 * size, y, x - 0.1 * size, y - 0.45 * size),
                (x - 0.1 * size, y - 0.45 * size, x + 0.55 * size, y + 0.45 * size),
            ]
        )
    elif state == "watch":
        path = canvas.beginPath()
        path.moveTo(x, y + 1.15 * size)
        path.lineTo(x + 1.15 * size, y - 0.95 * size)
        path.lineTo(x - 1.15 * size, y - 0.95 * size)
        path.close()
        canvas.drawPath(path, stroke=0, fill=1)
    elif state == "act":
        canvas.rect(x - size, y - size, 2 * size, 2 * size, stroke=0, fill=1)
        canvas.setStrokeColor(PAPER)
        canvas.line(x, y + 0.6 * size, x, y - 0.1 * size)
        canvas.line(x, y - 0.4 * size, x, y - 0.65 * size)
    else:
        canvas.setDash(1.2, 1)
        canvas.circle(x, y, size - 0.3, stroke=1, fill=0)
        canvas.setDash()


def draw_picture(canvas: Any, picture: Picture) -> None:
    """The shapes of ``picture`` at the current origin, as vectors."""
    for mark in picture.marks:
        if isinstance(mark, Line):
            canvas.setStrokeColor(HexColor(mark.colour))
            canvas.setLineWidth(mark.width)
            canvas.setDash(*([list(mark.dash)] if mark.dash else []))
            _path(canvas, mark.points, closed=False, stroke=1, fill=0)
            canvas.setDash()
        elif isinstance(mark, Shape):
            _paint(canvas, mark)
            _path(canvas, mark.points, closed=True, stroke=int(bool(mark.border)), fill=int(bool(mark.fill)))
        elif isinstance(mark, Disc):
            _paint(canvas, mark)
            canvas.circle(*mark.centre, mark.radius, stroke=int(bool(mark.border)), fill=int(bool(mark.fill)))
        else:
            canvas.setFillColor(HexColor(mark.colour))
            font = STRONG if mark.strong else BODY
            if mark.upright:
                canvas.saveState()
                canvas.translate(*mark.at)
                canvas.rotate(90)
                write(canvas, 0, 0, mark.text, font=font, size=mark.size, anchor=mark.anchor)
                canvas.restoreState()
            else:
                write(canvas, *mark.at, mark.text, font=font, size=mark.size, anchor=mark.anchor)


def _paint(canvas: Any, mark: Shape | Disc) -> None:
    if mark.fill:
        canvas.setFillColor(HexColor(mark.fill))
    if mark.border:
        canvas.setStrokeColor(HexColor(mark.border))
        canvas.setLineWidth(mark.width)


def _path(canvas: Any, points: tuple[tuple[float, float], ...], *, closed: bool, stroke: int, fill: int) -> None:
    path = canvas.beginPath()
    path.moveTo(*points[0])
    for point in points[1:]:
        path.lineTo(*point)
    if closed:
        path.close()
    canvas.drawPath(path, stroke=stroke, fill=fill)


def vigil_mark(canvas: Any, x: float, y: float, size: float, colour: Any) -> None:
    """An open eye over a base line: the mark of the cover."""
    canvas.saveState()
    canvas.translate(x, y)
    canvas.scale(size / 32, size / 32)
    canvas.setStrokeColor(colour)
    canvas.setFillColor(colour)
    canvas.setLineWidth(2.4)
    canvas.setLineCap(1)
    path = canvas.beginPath()
    path.moveTo(2, 16)
    path.curveTo(8, 26, 24, 26, 30, 16)
    path.curveTo(24, 6, 8, 6, 2, 16)
    path.close()
    canvas.drawPath(path, stroke=1, fill=0)
    canvas.circle(16, 16, 4.6, stroke=0, fill=1)
    canvas.restoreState()
