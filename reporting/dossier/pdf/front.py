"""Page one, the signature page and the list of contents: what a reader meets before the sections."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from reportlab.platypus import Flowable, NextPageTemplate, PageBreak, Spacer

from reporting.dossier import contents as c
from reporting.dossier import numbers
from reporting.dossier.pdf import looks
from reporting.dossier.pdf.flow import Box, FactLines, Opening, Prose
from reporting.dossier.pdf.fonts import BODY, MONO, SLANTED, STRONG, lines
from reporting.dossier.pdf.marks import state_shape, vigil_mark, write

STATEMENT = (
    "For regulatory learning. This dossier is not an approval, a certificate or a clearance, and gives no "
    "presumption of "
    "conformity. It states what was measured, on which cases, and what is missing."
)
AUDIENCE_WORDS = {
    "public": "Public version: parts are removed, each removal is marked",
    "regulator": "For the competent authority",
    "internal": "Internal: not for release",
}
HEADLINE = {
    "act": "Action is needed",
    "watch": "To be watched",
    "ok": "No failed check",
    "insufficient": "Too little data to judge",
}
SIGNATURE_SLOTS = 4
SLOT_WIDTH, SLOT_HEIGHT, SLOT_GAP, SLOTS_TOP = looks.WIDTH, 92.0, 14.0, 672.0
LIST_ROWS = 42


def signature_boxes() -> list[tuple[int, int, int, int]]:
    """(x1, y1, x2, y2) of each signature field on the signature page (page 2), in points."""
    boxes = []
    for slot in range(SIGNATURE_SLOTS):
        top = SLOTS_TOP - slot * (SLOT_HEIGHT + SLOT_GAP)
        boxes.append(
            (round(looks.LEFT + 160), round(top - SLOT_HEIGHT + 6), round(looks.LEFT + SLOT_WIDTH - 6), round(top - 6))
        )
    return boxes


def draw_cover_frame(canvas: Any, contents: c.Contents, content_sha256: str) -> None:
    """The head of page one and its foot; the middle flows."""
    identity = contents.identity
    top = looks.PAGE_HEIGHT
    canvas.mark_artefact()
    canvas.setFillColor(looks.BRAND_DEEP)
    canvas.rect(0, top - 176, looks.PAGE_WIDTH, 176, stroke=0, fill=1)
    canvas.setFillColor(looks.BRAND)
    canvas.rect(0, top - 180, looks.PAGE_WIDTH, 4, stroke=0, fill=1)
    vigil_mark(canvas, looks.LEFT, top - 62, 24, looks.PAPER)
    canvas.unmark()
    canvas.mark("P")
    canvas.setFillColor(looks.PAPER)
    write(canvas, looks.LEFT + 32, top - 54, "Vigil", font=STRONG, size=14)
    write(canvas, looks.PAGE_WIDTH - looks.RIGHT, top - 54, identity.number, font=STRONG, size=14, anchor="end")
    canvas.unmark()
    canvas.mark("Title")
    write(canvas, looks.LEFT, top - 96, "Evidence dossier", font=BODY, size=13)
    for place, line in enumerate(lines(identity.title, STRONG, 22, looks.WIDTH)[:2]):
        write(canvas, looks.LEFT, top - 122 - place * 25, line, font=STRONG, size=22)
    canvas.unmark()
    canvas.mark("P")
    write(canvas, looks.LEFT, top - 167, AUDIENCE_WORDS[identity.audience], font=SLANTED, size=10)
    canvas.unmark()
    canvas.mark("P")
    canvas.setFillColor(looks.SOFT)
    write(
        canvas, looks.LEFT, 42, "Content hash (SHA-256) of the machine-readable twin attached to this file:", size=7.2
    )
    write(canvas, looks.LEFT, 31, content_sha256, font=MONO, size=7)
    canvas.unmark()


class StatusBanner(Flowable):  # type: ignore[misc]
    """The worst state in large type, and how many Findings stand in each."""

    def __init__(self, banner: c.Banner) -> None:
        super().__init__()
        self.banner = banner
        self.spaceAfter = 9.0

    def getSpaceAfter(self) -> float:  # noqa: N802
        return self.spaceAfter

    def wrap(self, width: float, height: float) -> tuple[float, float]:
        self._wide = width
        return width, 74.0

    def draw(self) -> None:
        canvas: Any = self.canv
        colour, wash, _ = looks.STATE[self.banner.state]
        canvas.mark_artefact()
        canvas.setFillColor(wash)
        canvas.rect(0, 0, self._wide, 74, stroke=0, fill=1)
        canvas.setFillColor(colour)
        canvas.rect(0, 0, 5, 74, stroke=0, fill=1)
        canvas.unmark()
        canvas.mark("H2")
        state_shape(canvas, 27, 46, self.banner.state, 9)
        canvas.setFillColor(colour)
        write(canvas, 44, 40, HEADLINE[self.banner.state], font=STRONG, size=18)
        canvas.unmark()
        canvas.mark("P")
        canvas.setFillColor(looks.INK)
        total = sum(self.banner.states.values())
        write(canvas, 20, 16, f"{total:,} findings, {self.banner.n_gaps:,} gaps", size=9.2)
        canvas.unmark()
        x = self._wide - 4 * 62 - 6
        for state in ("act", "watch", "insufficient", "ok"):
            canvas.mark("P")
            canvas.setFillColor(looks.STATE[state][0])
            write(canvas, x + 30, 36, f"{self.banner.states.get(state, 0):,}", font=STRONG, size=17, anchor="middle")
            state_shape(canvas, x + 8 if state != "insufficient" else x + 2, 18.5, state, 3)
            write(canvas, x + 14 if state != "insufficient" else x + 8, 16, looks.STATE[state][2], size=8)
            canvas.unmark()
            x += 62


def cover_flowables(contents: c.Contents, document: Any) -> Iterator[Flowable]:
    identity, banner = contents.identity, contents.banner
    yield Opening("cover", "Status", 0, document)
    yield StatusBanner(banner)
    for notice in banner.notices:
        yield Box("watch", notice, "")
    yield Prose("Failed checks", looks.HEAD_3, "H3")
    if banner.failed:
        shown = [failed_words(contents.evidence[key]) for key in banner.failed[:6]]
        yield FactLines(shown, share=0.2)
        if len(banner.failed) > 6:
            yield Prose(
                f"{len(banner.failed) - 6} more findings in state act stand in their sections.", looks.SMALL_TEXT
            )
    else:
        yield Prose("No finding is in state act.", looks.BODY_TEXT)
    yield Prose("Open gaps, first by section", looks.HEAD_3, "H3")
    gaps = contents.gaps()
    if gaps:
        yield FactLines(
            [[f"Section {section.number}", f"{gap.subject}: {gap.reason}"] for section, gap in gaps[:5]], share=0.2
        )
        if len(gaps) > 5:
            yield Prose(f"{len(gaps) - 5} more gaps are listed in section 22.", looks.SMALL_TEXT)
    else:
        yield Prose("No gap was found.", looks.BODY_TEXT)
    yield Prose("What this is about", looks.HEAD_3, "H3")
    rows = [
        ["Device and version", f"{identity.model} {identity.version} (weights {identity.weights_sha256[:16]}…)"],
        ["Developer", identity.developer],
        ["Deployment", f"{identity.deployment}, {identity.organisation}"],
        ["Submission", identity.submission + (f" ({identity.submission_state})" if identity.submission_state else "")],
        ["Period", f"{numbers.day(identity.start)} to {numbers.day(identity.end)} (end not included)"],
        ["Frozen", f"{numbers.moment(identity.frozen_at)}, by {identity.built_by}"],
        ["Supersedes", identity.supersedes or "nothing"],
    ]
    yield FactLines([row for row in rows if row[1]], share=0.2)
    yield Box("info", STATEMENT, "")


def failed_words(evidence: c.Evidence) -> list[str]:
    f = evidence.finding
    spread = numbers.spread(f)
    where = ", ".join(
        filter(None, (numbers.words(f["signal"]), numbers.stratum(f["stratum"]), numbers.window(numbers.span(f))))
    )
    value = "suppressed" if evidence.suppressed else numbers.with_unit(f["value"], f["unit"])
    crossed = ", but it was crossed" if numbers.alarm_limit(f) == spread and spread and f["state"] == "act" else ""
    beside = "; ".join(filter(None, (f"{spread}{crossed}", f"n {f['n_cases']:,}")))
    return [evidence.id, f"{numbers.words(f['quantity'])} {value} ({beside}): {where}"]


def signature_flowables(contents: c.Contents, document: Any) -> Iterator[Flowable]:
    yield NextPageTemplate("body")
    yield PageBreak()
    yield Opening("signatures", "Signatures", 0, document)
    yield Prose("Signatures", looks.SECTION_TITLE, "H1")
    yield Prose(
        "Each signature covers every byte of this file up to itself. A viewer that checks PDF signatures shows "
        "name, time and "
        "meaning; the public certificate of the instance is in the bundle.",
        looks.BODY_TEXT,
    )
    yield SignatureSlots(contents.signers)


class SignatureSlots(Flowable):  # type: ignore[misc]
    """Frames for the signature fields, at fixed places of the page."""

    def __init__(self, signers: list[dict[str, str]]) -> None:
        super().__init__()
        self.signers = signers

    def wrap(self, width: float, height: float) -> tuple[float, float]:
        self._wide = width
        return width, 1.0

    def draw(self) -> None:
        canvas: Any = self.canv
        canvas.saveState()
        across, down = canvas.absolutePosition(0, 0)
        canvas.translate(-across, -down)
        for slot in range(SIGNATURE_SLOTS):
            top = SLOTS_TOP - slot * (SLOT_HEIGHT + SLOT_GAP)
            words = (
                self.signers[slot] if slot < len(self.signers) else {"title": f"Signature {slot + 1}", "meaning": ""}
            )
            canvas.mark_artefact()
            canvas.setStrokeColor(looks.RULE)
            canvas.setLineWidth(0.8)
            canvas.roundRect(looks.LEFT, top - SLOT_HEIGHT, SLOT_WIDTH, SLOT_HEIGHT, 4)
            canvas.line(looks.LEFT + 152, top - SLOT_HEIGHT + 8, looks.LEFT + 152, top - 8)
            canvas.unmark()
            canvas.mark("P")
            canvas.setFillColor(looks.BRAND_DEEP)
            write(canvas, looks.LEFT + 12, top - 22, words["title"], font=STRONG, size=10)
            canvas.setFillColor(looks.SOFT)
            for place, line in enumerate(lines(words.get("meaning", ""), BODY, 8.2, 132)):
                write(canvas, looks.LEFT + 12, top - 37 - place * 10.6, line, size=8.2)
            canvas.unmark()
        canvas.restoreState()


class ContentsPage(Flowable):  # type: ignore[misc]
    """One page of the list of contents. Its page numbers stand in a form that is written when all pages are known."""

    def __init__(self, number: int, rows: list[tuple[str, str, int]], document: Any) -> None:
        super().__init__()
        self.number, self.rows, self.document = number, rows, document

    def wrap(self, width: float, height: float) -> tuple[float, float]:
        self._wide = width
        return width, sum(_row_height(level) for _, _, level in self.rows)

    def draw(self) -> None:
        canvas: Any = self.canv
        y = sum(_row_height(level) for _, _, level in self.rows)
        numbers_at: list[tuple[float, str, int]] = []
        canvas.open("TOC")
        for key, title, level in self.rows:
            tall = _row_height(level)
            y -= tall
            font, size, indent = (STRONG, 9.2, 0.0) if level == 0 else (BODY, 8.2, 22.0)
            shown = lines(title, font, size, self._wide - indent - 60)[0]
            entry = canvas.mark("TOCI")
            canvas.setFillColor(looks.INK if level == 0 else looks.SOFT)
            write(canvas, indent, y + 3.4, shown, font=font, size=size)
            canvas.unmark()
            canvas.mark_artefact()
            canvas.setStrokeColor(looks.RULE)
            canvas.setLineWidth(0.5)
            canvas.line(indent, y + 0.5, self._wide, y + 0.5)
            canvas.unmark()
            canvas.link(title, key, (0, y, self._wide, y + tall), entry)
            numbers_at.append((y + 3.4, key, level))
        canvas.mark("TOCI")
        canvas.doForm(f"contents-{self.number}")
        canvas.unmark()
        canvas.close()
        self.document.contents_pages[self.number] = (self._wide, numbers_at)


def _row_height(level: int) -> float:
    return 15.4 if level == 0 else 11.2


def contents_flowables(rows: list[tuple[str, str, int]], document: Any) -> Iterator[Flowable]:
    yield PageBreak()
    yield Opening("contents", "Contents", 0, document)
    yield Prose("Contents", looks.SECTION_TITLE, "H1")
    yield Spacer(1, 6)
    pages: list[list[tuple[str, str, int]]] = [[]]
    room = looks.PAGE_HEIGHT - looks.TOP - looks.BOTTOM - 60
    for row in rows:
        if sum(_row_height(level) for _, _, level in pages[-1]) + _row_height(row[2]) > room:
            pages.append([])
        pages[-1].append(row)
    for number, page in enumerate(pages):
        if number:
            yield PageBreak()
        yield ContentsPage(number, page, document)


def write_contents_numbers(canvas: Any, document: Any) -> None:
    """Define the forms with page numbers, once every destination has its page."""
    for number, (wide, rows) in document.contents_pages.items():
        canvas.beginForm(f"contents-{number}", 0, -20, wide, 900)
        for y, key, level in rows:
            page = document.page_of.get(key)
            canvas.setFillColor(looks.INK if level == 0 else looks.SOFT)
            write(canvas, wide, y, str(page or "—"), font=STRONG if level == 0 else BODY, size=8.8, anchor="end")
        canvas.endForm()
