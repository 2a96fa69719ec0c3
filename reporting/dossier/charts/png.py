"""A picture as PNG for programs that read no vectors, drawn at three times its size and halved for smooth edges."""

from __future__ import annotations

import io
import itertools
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from reporting.dossier.charts.picture import Disc, Line, Picture, Shape, Words

FONTS = Path(__file__).resolve().parent.parent / "fonts"
SCALE = 4  # 288 dots per inch, stored at half


def png(picture: Picture) -> bytes:
    size = (round(picture.width * SCALE), round(picture.height * SCALE))
    image = Image.new("RGB", size, "#ffffff")
    pen = ImageDraw.Draw(image)
    for mark in picture.marks:
        _draw(image, pen, mark, picture.height)
    image = image.resize((size[0] // 2, size[1] // 2), Image.Resampling.BOX)
    target = io.BytesIO()
    image.quantize(64).save(target, "PNG", optimize=False, dpi=(144, 144))
    return target.getvalue()


def _draw(image: Image.Image, pen: ImageDraw.ImageDraw, mark: Line | Shape | Disc | Words, height: float) -> None:
    def at(point: tuple[float, float]) -> tuple[float, float]:
        return point[0] * SCALE, (height - point[1]) * SCALE

    if isinstance(mark, Line):
        points = [at(point) for point in mark.points]
        stroke = max(1, round(mark.width * SCALE))
        for piece in _dashed(points, [d * SCALE for d in mark.dash]):
            pen.line(piece, fill=mark.colour, width=stroke, joint="curve")
    elif isinstance(mark, Shape):
        pen.polygon(
            [at(p) for p in mark.points],
            fill=mark.fill or None,
            outline=mark.border or None,
            width=max(1, round(mark.width * SCALE)),
        )
    elif isinstance(mark, Disc):
        x, y = at(mark.centre)
        r = mark.radius * SCALE
        pen.ellipse(
            (x - r, y - r, x + r, y + r),
            fill=mark.fill or None,
            outline=mark.border or None,
            width=max(1, round(mark.width * SCALE)),
        )
    else:
        _words(image, pen, mark, at(mark.at))


def _words(image: Image.Image, pen: ImageDraw.ImageDraw, mark: Words, at: tuple[float, float]) -> None:
    face = "SourceSansPro-Semibold.ttf" if mark.strong else "SourceSansPro-Regular.ttf"
    font = ImageFont.truetype(str(FONTS / face), round(mark.size * SCALE), layout_engine=ImageFont.Layout.BASIC)
    anchor = {"start": "ls", "middle": "ms", "end": "rs"}[mark.anchor]
    if not mark.upright:
        pen.text(at, mark.text, fill=mark.colour, font=font, anchor=anchor)
        return
    wide = round(font.getlength(mark.text)) + 2
    tall = round(mark.size * SCALE * 1.5)
    layer = Image.new("L", (wide, tall), 0)
    ImageDraw.Draw(layer).text((0, tall * 0.72), mark.text, fill=255, font=font, anchor="ls")
    turned = layer.rotate(90, expand=True)
    shift = {"start": 0, "middle": wide / 2, "end": wide}[mark.anchor]
    image.paste(mark.colour, (round(at[0] - tall * 0.72), round(at[1] - wide + shift)), turned)


def _dashed(points: list[tuple[float, float]], dash: list[float]) -> list[list[tuple[float, float]]]:
    if not dash:
        return [points]
    pieces, on, left, place = [], True, dash[0], 0
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        length = ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5
        done = 0.0
        while length - done > 1e-9:
            step = min(left, length - done)
            a, b = done / length, (done + step) / length
            if on:
                pieces.append([(x0 + (x1 - x0) * a, y0 + (y1 - y0) * a), (x0 + (x1 - x0) * b, y0 + (y1 - y0) * b)])
            done += step
            left -= step
            if left <= 1e-9:
                place = (place + 1) % len(dash)
                left, on = dash[place], not on
    return pieces
