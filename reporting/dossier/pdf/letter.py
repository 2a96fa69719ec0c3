"""A short report as PDF: the dossier's pieces and look without its cover, its signature page and its sections."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from reportlab import rl_config
from reportlab.platypus import BaseDocTemplate, CondPageBreak, Flowable, Frame, KeepTogether, PageTemplate, Spacer

from reporting.dossier import contents as c
from reporting.dossier.pdf import looks
from reporting.dossier.pdf.document import frozen_at
from reporting.dossier.pdf.flow import Box, Chart, FactLines, Prose
from reporting.dossier.pdf.fonts import STRONG, register
from reporting.dossier.pdf.grid import Grid
from reporting.dossier.pdf.marks import vigil_mark, write
from reporting.dossier.pdf.story import columns_and_rows
from reporting.dossier.pdf.structure import TaggedCanvas

LetterBlock = c.Heading | c.Text | c.Facts | c.Table | c.Figure | c.Notice
HEAD = 92.0  # points that the head of the first page takes


@dataclass(frozen=True, slots=True)
class Letter:
    """``made_at`` is the document's date; ``foot`` stands on every page."""

    title: str
    subtitle: str
    made_at: datetime
    author: str
    foot: str
    blocks: Sequence[LetterBlock] = field(default_factory=tuple)


def render_letter(letter: Letter) -> bytes:
    """Set ``letter`` on A4: the same bytes for the same letter, tagged for readers that speak."""
    register()
    rl_config.autoGenerateMissingTTFName = 0
    target = io.BytesIO()
    document = _Document(target, letter)
    document.build(list(_flowables(letter.blocks)), canvasmaker=document.canvas_maker)
    return target.getvalue()


def _flowables(blocks: Sequence[LetterBlock]) -> Iterator[Flowable]:
    for block in blocks:
        match block:
            case c.Heading():
                yield CondPageBreak(130 if block.level == 2 else 290)  # a smaller heading stays with its first chart
                style = looks.HEAD_2 if block.level == 2 else looks.HEAD_3
                yield Prose(block.text, style, f"H{block.level}")
            case c.Text():
                yield Prose(block.text, looks.SMALL_TEXT if block.small else looks.BODY_TEXT)
            case c.Facts():
                yield FactLines(block.rows)
            case c.Notice():
                yield Box(block.tone, block.title, block.text)
            case c.Table():
                yield Grid(*columns_and_rows(block))
                yield Spacer(1, 5)
                if block.note:
                    yield Prose(block.note, looks.SMALL_TEXT)
            case c.Figure():
                yield KeepTogether(
                    [
                        Prose(block.title, looks.CAPTION, "Caption"),
                        Chart(block.chart, block.data, block.text),
                        Prose(block.text, looks.FIGURE_TEXT, "Caption"),
                    ]
                )


class _Document(BaseDocTemplate):  # type: ignore[misc]
    def __init__(self, target: io.BytesIO, letter: Letter) -> None:
        super().__init__(
            target, pagesize=(looks.PAGE_WIDTH, looks.PAGE_HEIGHT), title=letter.title, author=letter.author,
            subject=letter.subtitle, creator="Vigil", invariant=1, lang="en", pageCompression=1,
        )  # fmt: skip
        self.letter = letter
        inner = {"leftPadding": 0, "rightPadding": 0, "topPadding": 0, "bottomPadding": 0}
        tall = looks.PAGE_HEIGHT - looks.BOTTOM
        self.addPageTemplates(
            [
                PageTemplate(
                    "first", [Frame(looks.LEFT, looks.BOTTOM, looks.WIDTH, tall - HEAD - 18, **inner)],
                    onPage=self._head, onPageEnd=self._foot, autoNextPageTemplate="later",
                ),
                PageTemplate(
                    "later", [Frame(looks.LEFT, looks.BOTTOM, looks.WIDTH, tall - 50, **inner)], onPageEnd=self._foot
                ),
            ]
        )  # fmt: skip

    def canvas_maker(self, *args: Any, **options: Any) -> TaggedCanvas:
        options["lang"] = "en"
        canvas = TaggedCanvas(*args, pdfVersion=(1, 7), **options)
        canvas._doc._timeStamp = frozen_at(self.letter.made_at.isoformat())
        return canvas

    def _head(self, canvas: Any, document: Any) -> None:
        top = looks.PAGE_HEIGHT
        canvas.mark_artefact()
        canvas.setFillColor(looks.BRAND_DEEP)
        canvas.rect(0, top - HEAD, looks.PAGE_WIDTH, HEAD, stroke=0, fill=1)
        vigil_mark(canvas, looks.LEFT, top - 46, 20, looks.PAPER)
        canvas.unmark()
        canvas.mark("H1")
        canvas.setFillColor(looks.PAPER)
        write(canvas, looks.LEFT + 30, top - 42, self.letter.title, font=STRONG, size=18)
        canvas.unmark()
        canvas.mark("P")
        write(canvas, looks.LEFT + 30, top - 64, self.letter.subtitle, size=9.5)
        canvas.unmark()

    def _foot(self, canvas: Any, document: Any) -> None:
        canvas.mark_artefact()
        canvas.setStrokeColor(looks.RULE)
        canvas.setLineWidth(0.6)
        canvas.line(looks.LEFT, 46, looks.PAGE_WIDTH - looks.RIGHT, 46)
        canvas.setFillColor(looks.SOFT)
        write(canvas, looks.LEFT, 33, self.letter.foot, size=7.2)
        write(canvas, looks.PAGE_WIDTH - looks.RIGHT, 33, f"Page {canvas.getPageNumber()}", size=8, anchor="end")
        canvas.unmark()
