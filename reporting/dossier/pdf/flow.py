"""The pieces that stand between tables: prose, boxes, facts, charts and pictures, each tagged for readers that
speak."""

from __future__ import annotations

import io
from typing import Any

from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.utils import ImageReader
from reportlab.platypus import Flowable, Paragraph

from reporting.dossier.charts.catalogue import draw
from reporting.dossier.pdf.fonts import BODY, MONO, STRONG, lines, marked_up
from reporting.dossier.pdf.looks import BRAND_DEEP, INK, RULE, SOFT, TONES
from reporting.dossier.pdf.marks import draw_picture, write


class Prose(Paragraph):  # type: ignore[misc]
    """A paragraph or heading of plain text under the tag ``tag``."""

    tag = "P"

    def __init__(self, text: str, style: ParagraphStyle, tag: str = "P") -> None:
        super().__init__(marked_up(text, style.fontName) if text is not None else text, style)
        self.tag = tag

    def split(self, width: float, height: float) -> list[Any]:
        parts = _paragraph_split(self, width, height)
        for part in parts:
            if isinstance(part, Prose):
                part.tag = self.tag
        return parts

    def draw(self) -> None:
        canvas: Any = self.canv
        canvas.mark(self.tag)
        super().draw()
        canvas.unmark()


def _paragraph_split(paragraph: Prose, width: float, height: float) -> list[Any]:
    """The base class builds its parts as ``cls(text, style, ...)`` with text already broken: give it the plain
    class."""
    own = paragraph.__class__
    paragraph.__class__ = Paragraph
    try:
        parts = paragraph.split(width, height)
    finally:
        paragraph.__class__ = own
    for part in parts:
        if type(part) is Paragraph:
            part.__class__ = own
    return list(parts)


class Opening(Flowable):  # type: ignore[misc]
    """Where a section starts: its outline entry and destination, no ink."""

    def __init__(self, key: str, title: str, level: int, document: Any) -> None:
        super().__init__()
        self.key, self.title, self.level, self.document = key, title, level, document

    def wrap(self, width: float, height: float) -> tuple[float, float]:
        return width, 0.0

    def draw(self) -> None:
        canvas: Any = self.canv
        canvas.bookmarkHorizontal(self.key, 0, 18)
        canvas.addOutlineEntry(self.title, self.key, self.level, closed=self.level == 0)
        self.document.page_of[self.key] = canvas.getPageNumber()


class RuleLine(Flowable):  # type: ignore[misc]
    def wrap(self, width: float, height: float) -> tuple[float, float]:
        self._wide = width
        return width, 9.0

    def draw(self) -> None:
        canvas: Any = self.canv
        canvas.mark_artefact()
        canvas.setStrokeColor(BRAND_DEEP)
        canvas.setLineWidth(1.2)
        canvas.line(0, 5, self._wide, 5)
        canvas.unmark()


class Box(Flowable):  # type: ignore[misc]
    """A notice: title and text beside a bar whose colour and word give the tone."""

    def __init__(self, tone: str, title: str, text: str) -> None:
        super().__init__()
        self.tone, self.title, self.text = tone, title, text
        self.spaceBefore, self.spaceAfter = 3.0, 6.0

    def getSpaceBefore(self) -> float:  # noqa: N802
        return self.spaceBefore

    def getSpaceAfter(self) -> float:  # noqa: N802
        return self.spaceAfter

    def wrap(self, width: float, height: float) -> tuple[float, float]:
        self._wide = width
        self._head = lines(self.title, STRONG, 8.8, width - 24)
        self._body = lines(self.text, BODY, 8.4, width - 24) if self.text else ()
        return width, len(self._head) * 11.4 + len(self._body) * 11 + 12

    def draw(self) -> None:
        canvas: Any = self.canv
        colour, wash = TONES[self.tone]
        tall = len(self._head) * 11.4 + len(self._body) * 11 + 12
        canvas.mark_artefact()
        canvas.setFillColor(wash)
        canvas.rect(0, 0, self._wide, tall, stroke=0, fill=1)
        canvas.setFillColor(colour)
        canvas.rect(0, 0, 3, tall, stroke=0, fill=1)
        canvas.unmark()
        canvas.mark("P")
        canvas.setFillColor(colour)
        y = tall - 14
        for line in self._head:
            write(canvas, 13, y, line, font=STRONG, size=8.8)
            y -= 11.4
        canvas.setFillColor(INK)
        for line in self._body:
            write(canvas, 13, y, line, size=8.4)
            y -= 11
        canvas.unmark()


class FactLines(Flowable):  # type: ignore[misc]
    """Names on the left, values on the right; splits between lines."""

    def __init__(self, rows: list[list[str]], *, share: float = 0.3) -> None:
        super().__init__()
        self.rows, self.share = rows, share
        self.spaceAfter = 7.0

    def getSpaceAfter(self) -> float:  # noqa: N802
        return self.spaceAfter

    def wrap(self, width: float, height: float) -> tuple[float, float]:
        self._wide, left = width, width * self.share
        self._lines = []
        for name, value in self.rows:
            mono = len(value) == 64 and not set(value) - set("0123456789abcdef")
            font, size = (MONO, 6.8) if mono else (BODY, 8.8)
            self._lines.append(
                (lines(name, STRONG, 8.2, left - 10), lines(value, font, size, width - left), font, size)
            )
        self._talls = [max(len(a), len(b)) * 11.4 + 4.6 for a, b, _, _ in self._lines]
        return width, sum(self._talls)

    def split(self, width: float, height: float) -> list[Flowable]:
        self.wrap(width, height)
        room, fitting = height, 0
        for tall in self._talls:
            if room < tall:
                break
            room -= tall
            fitting += 1
        if not 0 < fitting < len(self.rows):
            return []
        return [FactLines(self.rows[:fitting], share=self.share), FactLines(self.rows[fitting:], share=self.share)]

    def draw(self) -> None:
        canvas: Any = self.canv
        y = sum(self._talls)
        left = self._wide * self.share
        canvas.open("Table")
        for (names, values, font, size), tall in zip(self._lines, self._talls, strict=True):
            canvas.mark_artefact()
            canvas.setStrokeColor(RULE)
            canvas.setLineWidth(0.4)
            canvas.line(0, y - tall, self._wide, y - tall)
            canvas.unmark()
            canvas.open("TR")
            canvas.mark("TH", scope="Row")
            canvas.setFillColor(SOFT)
            for place, line in enumerate(names):
                write(canvas, 0, y - 10.4 - place * 11.4, line, font=STRONG, size=8.2)
            canvas.unmark()
            canvas.mark("TD")
            canvas.setFillColor(INK)
            for place, line in enumerate(values):
                write(canvas, left, y - 10.4 - place * 11.4, line, font=font, size=size)
            canvas.unmark()
            canvas.close()
            y -= tall
        canvas.close()


class Chart(Flowable):  # type: ignore[misc]
    """A chart drawn as vectors; its text stands beside it for those who cannot see it."""

    def __init__(self, chart: str, data: dict[str, Any], text: str) -> None:
        super().__init__()
        self.chart, self.data, self.text = chart, data, text
        self._picture: Any = None

    def wrap(self, width: float, height: float) -> tuple[float, float]:
        if self._picture is None or self._picture.width != width:
            self._picture = draw(self.chart, self.data, width=width)
        return width, self._picture.height + 4

    def draw(self) -> None:
        canvas: Any = self.canv
        canvas.mark("Figure", self.text)
        draw_picture(canvas, self._picture)
        canvas.unmark()


class Overlay(Flowable):  # type: ignore[misc]
    """A stored image with its scale bar (when the true width is known)."""

    def __init__(self, content: bytes, text: str, *, width_mm: float | None, wide: float = 230.0) -> None:
        super().__init__()
        self.content, self.text, self.width_mm, self.wide = content, text, width_mm, wide

    def wrap(self, width: float, height: float) -> tuple[float, float]:
        self._reader = ImageReader(io.BytesIO(self.content))
        across, down = self._reader.getSize()
        self._wide = min(self.wide, width)
        self._tall = self._wide * down / across
        return width, self._tall + 18

    def draw(self) -> None:
        canvas: Any = self.canv
        canvas.mark("Figure", self.text)
        canvas.drawImage(self._reader, 0, 16, self._wide, self._tall)
        canvas.unmark()
        canvas.mark("Caption")
        canvas.setFillColor(SOFT)
        if self.width_mm:
            bar_mm = next(mm for mm in (100, 50, 20, 10, 5, 2, 1, 0.5) if mm <= self.width_mm / 3 or mm == 0.5)
            bar = self._wide * bar_mm / self.width_mm
            canvas.setStrokeColor(INK)
            canvas.setLineWidth(1.6)
            canvas.line(0, 9, bar, 9)
            write(canvas, bar + 5, 6.5, f"{bar_mm:g} mm", size=7.2)
        else:
            write(canvas, 0, 6.5, "no scale: the image carries no pixel spacing", size=7.2)
        canvas.unmark()
