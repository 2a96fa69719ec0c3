"""One dossier as PDF bytes: streamed from its contents, the same bytes for the same contents everywhere."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from reportlab import rl_config
from reportlab.lib.utils import TimeStamp
from reportlab.platypus import BaseDocTemplate, Flowable, Frame, PageTemplate

from reporting.dossier import contents as c
from reporting.dossier.pdf import archive, front, looks
from reporting.dossier.pdf.fonts import BODY, MONO, STRONG, lines, register, width
from reporting.dossier.pdf.marks import write
from reporting.dossier.pdf.story import ReadFile, headings, section_flowables
from reporting.dossier.pdf.structure import TaggedCanvas

Progress = Callable[[int], None]


def render(
    content: bytes,
    *,
    content_sha256: str,
    chai_xml: bytes = b"",
    read_file: ReadFile = lambda path: None,
    progress: Progress = lambda pages: None,
) -> bytes:
    """Set the frozen contents as a PDF that carries them as its attachment.

    Parameters
    ----------
    content : bytes
        Canonical JSON as :func:`reporting.dossier.contents.freeze` made it.
    content_sha256 : str
        Its SHA-256, printed in the foot of every page.
    chai_xml : bytes
        The model card in CHAI's XML, put into the metadata and attached.
    read_file : callable
        Gives the bytes of a file of the bundle (pictures), or None; a missing picture is printed as missing.
    progress : callable
        Called with the number of pages set so far.

    Returns
    -------
    bytes
        The unsigned PDF. The clock, the locale, the time zone and the folder have no part in it.
    """
    register()
    contents = c.thaw_for_print(content)
    target = io.BytesIO()
    document = _Document(target, contents, content_sha256, progress)
    rl_config.autoGenerateMissingTTFName = 0
    rl_config.useA85 = 0  # streams as bytes: a fifth smaller, and quicker
    document.build(_Lazy(_story(contents, document, read_file)), canvasmaker=document.canvas_maker(content, chai_xml))
    return target.getvalue()


def _story(contents: c.Contents, document: _Document, read_file: ReadFile) -> Iterator[Flowable]:
    yield from front.cover_flowables(contents, document)
    yield from front.signature_flowables(contents, document)
    yield from front.contents_flowables(list(headings(contents)), document)
    for section in contents.sections:
        document.section = f"{section.number} {section.title}"
        yield from section_flowables(section, contents, document, read_file)


class _Lazy(list[Flowable]):
    """A list for Platypus that is filled from a generator shortly before it is read."""

    AHEAD = 6

    def __init__(self, source: Iterator[Flowable]) -> None:
        super().__init__()
        self._source = source
        self._fill()

    def _fill(self) -> None:
        while super().__len__() < self.AHEAD:
            following = next(self._source, None)
            if following is None:
                return
            self.append(following)

    def __len__(self) -> int:
        self._fill()
        return super().__len__()


class _Document(BaseDocTemplate):  # type: ignore[misc]
    def __init__(self, target: io.BytesIO, contents: c.Contents, content_sha256: str, progress: Progress) -> None:
        identity = contents.identity
        super().__init__(
            target,
            pagesize=(looks.PAGE_WIDTH, looks.PAGE_HEIGHT),
            title=f"{identity.number}: {identity.title}",
            author=identity.built_by,
            subject=f"Evidence dossier of {identity.model} {identity.version}",
            creator=f"Vigil {identity.software.get('vigil', '')}".strip(),
            keywords=content_sha256,
            invariant=1,
            lang=identity.language,
            pageCompression=1,
        )
        self.contents, self.content_sha256, self.progress = contents, content_sha256, progress
        self.page_of: dict[str, int] = {}
        self.contents_pages: dict[int, Any] = {}
        self.section = ""
        inner = {"leftPadding": 0, "rightPadding": 0, "topPadding": 0, "bottomPadding": 0}
        tall = looks.PAGE_HEIGHT - looks.TOP - looks.BOTTOM
        self.addPageTemplates(
            [
                PageTemplate(
                    "cover",
                    [Frame(looks.LEFT, 58, looks.WIDTH, looks.PAGE_HEIGHT - 58 - 196, **inner)],
                    onPage=self._cover,
                ),
                PageTemplate(
                    "body", [Frame(looks.LEFT, looks.BOTTOM, looks.WIDTH, tall, **inner)], onPageEnd=self._frame
                ),
            ]
        )

    def canvas_maker(self, content: bytes, chai_xml: bytes) -> Any:
        def make(target: io.BytesIO, **options: Any) -> TaggedCanvas:
            options["lang"] = self.contents.identity.language
            canvas = TaggedCanvas(target, pdfVersion=(1, 7), **options)
            canvas._doc._timeStamp = frozen_at(self.contents.identity.frozen_at)
            canvas._doc.signature.update(self.content_sha256.encode())
            canvas.showOutline()
            canvas.before_saving = lambda: archive.settle(canvas, self.contents, content, self.content_sha256, chai_xml)
            return canvas

        return make

    def _cover(self, canvas: Any, document: Any) -> None:
        front.draw_cover_frame(canvas, self.contents, self.content_sha256)

    def _frame(self, canvas: Any, document: Any) -> None:
        """Running head and foot of every later page, as artefacts."""
        identity, page = self.contents.identity, canvas.getPageNumber()
        canvas.mark_artefact()
        top = looks.PAGE_HEIGHT - 46
        canvas.setFillColor(looks.BRAND_DEEP)
        write(canvas, looks.LEFT, top, identity.number, font=STRONG, size=8)
        canvas.setFillColor(looks.SOFT)
        after = looks.LEFT + width(identity.number, STRONG, 8) + 8
        write(canvas, after, top, lines(identity.title, BODY, 8, 200)[0], size=8)
        write(
            canvas,
            looks.PAGE_WIDTH - looks.RIGHT,
            top,
            lines(self._running(page), BODY, 8, 220)[0],
            size=8,
            anchor="end",
        )
        canvas.setStrokeColor(looks.RULE)
        canvas.setLineWidth(0.6)
        canvas.line(looks.LEFT, top - 7, looks.PAGE_WIDTH - looks.RIGHT, top - 7)
        canvas.line(looks.LEFT, 46, looks.PAGE_WIDTH - looks.RIGHT, 46)
        write(canvas, looks.LEFT, 34, self.content_sha256, font=MONO, size=6)
        write(canvas, looks.LEFT, 25, front.AUDIENCE_WORDS[identity.audience], size=7)
        canvas.translate(looks.PAGE_WIDTH - looks.RIGHT, 33)
        write(canvas, -_OF_WIDTH, 0, f"Page {page}", size=8, anchor="end")
        canvas.doForm("page-count")
        canvas.unmark()
        if page % 10 == 0:
            self.progress(page)

    def _running(self, page: int) -> str:
        """The section that this page belongs to: the last that opened on it or before."""
        found = ""
        for section in self.contents.sections:
            opened = self.page_of.get(f"section-{section.id}")
            if opened is None or opened > page:
                break
            found = f"{section.number} {section.title}"
        return found

    def _endBuild(self) -> None:  # noqa: N802 -- the base class names it
        canvas, pages = self.canv, self.page
        front.write_contents_numbers(canvas, self)
        canvas.beginForm("page-count", -_OF_WIDTH - 2, -4, 4, 12)
        canvas.setFillColor(looks.SOFT)
        write(canvas, -_OF_WIDTH, 0, f" of {pages}", size=8)
        canvas.endForm()
        self.progress(pages)
        super()._endBuild()


_OF_WIDTH = 26.0


def frozen_at(iso: str) -> TimeStamp:
    """The moment of freezing as the document's date, whatever the clock says now."""
    stamp = TimeStamp(1)
    at = datetime.fromisoformat(iso)
    stamp.t, stamp.lt, stamp.YMDhms = at.timestamp(), at.utctimetuple(), tuple(at.utctimetuple())[:6]
    stamp.dhh = stamp.dmm = 0
    return stamp
