"""The table of the dossier: rows that never break inside, heads that repeat, states as shape and word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reportlab.platypus import Flowable

from reporting.dossier.pdf.fonts import BODY, MONO, STRONG, lines
from reporting.dossier.pdf.looks import BRAND_DEEP, FAINT, INK, RULE, SOFT, STATE, WASH
from reporting.dossier.pdf.marks import state_shape, write

SIZE, LEADING, NOTE_SIZE, NOTE_LEADING, HEAD_SIZE, PAD = 8.2, 10.2, 6.8, 8.6, 7.2, 4.0


@dataclass(frozen=True, slots=True)
class GridColumn:
    title: str
    share: float
    right: bool = False
    mono: bool = False
    state: bool = False
    strong: bool = False


@dataclass(frozen=True, slots=True)
class GridRow:
    """``note``: a small second line across the table from its second column on; ``state`` colours the row's edge."""

    cells: Sequence[str]
    note: str = ""
    state: str = ""


class Grid(Flowable):  # type: ignore[misc]
    """``continued``: a later part of a long table, which shows its head only at the top of a page."""

    def __init__(self, columns: Sequence[GridColumn], rows: Sequence[GridRow], *, continued: bool = False) -> None:
        super().__init__()
        self.columns, self.rows, self.continued = columns, rows, continued
        self.spaceAfter = 0.0
        self._heights: list[float] = []
        self._width = 0.0

    def wrap(self, width: float, height: float) -> tuple[float, float]:
        if width != self._width:
            self._width = width
            total = sum(column.share for column in self.columns)
            self._widths = [width * column.share / total for column in self.columns]
            self._cells = [self._broken(row) for row in self.rows]
            self._heights = [self._height(row, cells) for row, cells in zip(self.rows, self._cells, strict=True)]
        self.with_head = not self.continued or bool(getattr(getattr(self, "_frame", None), "_atTop", True))
        return width, self._head_height() + sum(self._heights)

    def split(self, width: float, height: float) -> list[Flowable]:
        self.wrap(width, height)
        room = height - self._head_height()
        fitting = 0
        for tall in self._heights:
            if room < tall:
                break
            room -= tall
            fitting += 1
        if fitting == 0 or (fitting < 2 and len(self.rows) > 2):
            return []
        first = Grid(self.columns, self.rows[:fitting], continued=self.continued)
        rest = Grid(self.columns, self.rows[fitting:], continued=True)
        rest.spaceAfter = self.spaceAfter
        return [first, rest]

    def getSpaceAfter(self) -> float:  # noqa: N802 -- the base class names it
        return self.spaceAfter

    def draw(self) -> None:
        canvas: Any = self.canv
        canvas.open("Table")
        y = self._head_height() + sum(self._heights)
        if self.with_head:
            y = self._draw_head(canvas, y)
        for row, cells, tall in zip(self.rows, self._cells, self._heights, strict=True):
            self._draw_row(canvas, y, row, cells, tall)
            y -= tall
        canvas.close()

    def _head_height(self) -> float:
        if not self.with_head:
            return 0.0
        deepest = max(
            len(lines(c.title, STRONG, HEAD_SIZE, w - 2 * PAD)) for c, w in zip(self.columns, self._widths, strict=True)
        )
        return deepest * 8.6 + 2 * PAD + 1

    def _broken(self, row: GridRow) -> list[tuple[str, ...]]:
        cells: list[tuple[str, ...]] = []
        for column, cell, wide in zip(self.columns, row.cells, self._widths, strict=True):
            if column.state:
                cells.append((cell,))
                continue
            font, size = self._face(column)
            cells.append(lines(cell, font, size, wide - 2 * PAD))
        return cells

    def _note(self, row: GridRow) -> tuple[str, ...]:
        return lines(row.note, BODY, NOTE_SIZE, self._width - self._widths[0] - 2 * PAD) if row.note else ()

    def _height(self, row: GridRow, cells: Sequence[Sequence[str]]) -> float:
        note = len(self._note(row)) * NOTE_LEADING + (1 if row.note else 0)
        return max(len(cell) for cell in cells) * LEADING + note + 2 * PAD

    @staticmethod
    def _face(column: GridColumn) -> tuple[str, float]:
        return (MONO, 6.4) if column.mono else (STRONG if column.strong else BODY, SIZE)

    def _draw_head(self, canvas: Any, y: float) -> float:
        tall = self._head_height()
        canvas.mark_artefact()
        canvas.setFillColor(WASH)
        canvas.rect(0, y - tall, self._width, tall, stroke=0, fill=1)
        canvas.setStrokeColor(BRAND_DEEP)
        canvas.setLineWidth(0.9)
        canvas.line(0, y - tall, self._width, y - tall)
        canvas.unmark()
        canvas.open("TR")
        x = 0.0
        for column, wide in zip(self.columns, self._widths, strict=True):
            canvas.mark("TH", scope="Column")
            canvas.setFillColor(BRAND_DEEP)
            for place, line in enumerate(lines(column.title, STRONG, HEAD_SIZE, wide - 2 * PAD)):
                at = x + wide - PAD if column.right else x + PAD
                write(
                    canvas,
                    at,
                    y - PAD - 6.6 - place * 8.6,
                    line,
                    font=STRONG,
                    size=HEAD_SIZE,
                    anchor="end" if column.right else "start",
                )
            canvas.unmark()
            x += wide
        canvas.close()
        return y - tall

    def _draw_row(self, canvas: Any, y: float, row: GridRow, cells: list[tuple[str, ...]], tall: float) -> None:
        canvas.mark_artefact()
        if row.state in ("act", "watch"):
            canvas.setFillColor(STATE[row.state][1])
            canvas.rect(0, y - tall, self._width, tall, stroke=0, fill=1)
            canvas.setFillColor(STATE[row.state][0])
            canvas.rect(0, y - tall, 2, tall, stroke=0, fill=1)
        canvas.setStrokeColor(RULE)
        canvas.setLineWidth(0.5)
        canvas.line(0, y - tall, self._width, y - tall)
        canvas.unmark()
        canvas.open("TR")
        x = 0.0
        cell_of: list[Any] = []
        for column, wide, cell in zip(self.columns, self._widths, cells, strict=True):
            cell_of.append(canvas.mark("TD"))
            if column.state:
                _state_word(canvas, x + PAD, y - PAD - 7.2, cell[0])
            else:
                font, size = self._face(column)
                at, anchor = (x + wide - PAD, "end") if column.right else (x + PAD, "start")
                for place, line in enumerate(cell):
                    plain = column.strong and place > 0  # the name stands out, what follows it does not
                    canvas.setFillColor(SOFT if column.mono or plain else INK)
                    face = BODY if plain else font
                    write(canvas, at, y - PAD - 7.2 - place * LEADING, line, font=face, size=size, anchor=anchor)
            canvas.unmark()
            x += wide
        note = self._note(row)
        if note:  # belongs to the cell under which it starts, so that every row has the same cells
            canvas.mark_in(cell_of[min(1, len(cell_of) - 1)])
            canvas.setFillColor(SOFT)
            base = y - tall + PAD + (len(note) - 1) * NOTE_LEADING + 1.8
            for place, line in enumerate(note):
                write(canvas, self._widths[0] + PAD, base - place * NOTE_LEADING, line, size=NOTE_SIZE)
            canvas.unmark()
        canvas.close()


def _state_word(canvas: Any, x: float, y: float, state: str) -> None:
    if state not in STATE:
        canvas.setFillColor(FAINT if state == "—" else INK)
        write(canvas, x, y, state, size=SIZE)
        return
    state_shape(canvas, x + 3.2, y + 2.7, state)
    canvas.setFillColor(STATE[state][0])
    write(canvas, x + 9, y, STATE[state][2], font=STRONG, size=7.6)
