"""From blocks to flowables, one at a time, so that a long dossier never stands in memory as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from reportlab.platypus import CondPageBreak, Flowable, KeepTogether, PageBreak, Spacer

from reporting.dossier import contents as c
from reporting.dossier import numbers
from reporting.dossier.pdf import looks
from reporting.dossier.pdf.flow import Box, Chart, FactLines, Opening, Overlay, Prose, RuleLine
from reporting.dossier.pdf.grid import Grid, GridColumn, GridRow

CHUNK = 40  # rows of one flowable
WITH_TWO_ROWS = 140.0  # points that a title, the head and two rows with their notes need: no title stands alone
SHORT_NEEDS = 250.0  # points that a short section needs under the one before it
ReadFile = Callable[[str], bytes | None]
RESULT_COLUMNS = (
    GridColumn("Evidence", 0.95, mono=True),
    GridColumn("Quantity, where", 2.5, strong=True),
    GridColumn("Value", 1.0, right=True),
    GridColumn("Interval, or what chance gives", 2.3),
    GridColumn("n cases", 0.8, right=True),
    GridColumn("State", 0.95, state=True),
)

GAP_COLUMNS = (GridColumn("Missing", 1.6, strong=True), GridColumn("Reason", 2.8), GridColumn("To be supplied by", 1.2))


def section_flowables(
    section: c.Section, contents: c.Contents, document: Any, read_file: ReadFile
) -> Iterator[Flowable]:
    if _is_short(section):  # several of them share a page rather than leave most of it empty
        yield CondPageBreak(SHORT_NEEDS)
        yield Spacer(1, 22)
    else:
        yield PageBreak()
    yield Opening(section_key(section), f"{section.number} {section.title}", 0, document)
    yield Prose(f"Section {section.number}", looks.SECTION_NUMBER)
    yield Prose(section.title, looks.SECTION_TITLE, "H1")
    yield RuleLine()
    yield Prose(f"Filled from: {section.origin}. Evidence kinds: {', '.join(section.kinds)}.", looks.SMALL_TEXT)
    gaps: list[c.Gap] = []
    for place, block in enumerate(section.blocks):
        if isinstance(block, c.Gap):
            gaps.append(block)
            continue
        yield from _gaps(gaps)
        gaps = []
        yield from block_flowables(block, contents, document, f"{section_key(section)}-{place}", read_file)
    yield from _gaps(gaps)


def _is_short(section: c.Section) -> bool:
    big = (c.Results, c.Figure, c.Picture, c.Heading)
    return section.id not in ("00-cover", "22-gaps") and not any(isinstance(block, big) for block in section.blocks)


def _gaps(gaps: list[c.Gap]) -> Iterator[Flowable]:
    """One table for gaps that stand together, a box for a single one."""
    if len(gaps) == 1:
        gap = gaps[0]
        yield Box("gap", f"Missing: {gap.subject}", f"{gap.reason} To be supplied by: {gap.owner}.")
    elif gaps:
        rows = [GridRow((g.subject, g.reason, g.owner)) for g in gaps]
        yield from _grid(f"Missing here: {len(gaps)}", GAP_COLUMNS, rows, "")


def section_key(section: c.Section) -> str:
    return f"section-{section.id}"


def headings(contents: c.Contents) -> Iterator[tuple[str, str, int]]:
    """(destination, title, level) of everything that the list of contents shows, in order."""
    for section in contents.sections:
        yield section_key(section), f"{section.number}  {section.title}", 0
        for place, block in enumerate(section.blocks):
            if isinstance(block, c.Heading) and block.level == 2:
                yield f"{section_key(section)}-{place}", block.text, 1


def block_flowables(
    block: c.AnyBlock, contents: c.Contents, document: Any, key: str, read_file: ReadFile
) -> Iterator[Flowable]:
    match block:
        case c.Heading():
            yield CondPageBreak(90)
            if block.level == 2:
                yield Opening(key, block.text, 1, document)
            yield Prose(block.text, looks.HEAD_2 if block.level == 2 else looks.HEAD_3, f"H{block.level}")
        case c.Text():
            for part in block.text.split("\n\n"):
                yield Prose(part, looks.SMALL_TEXT if block.small else looks.BODY_TEXT)
        case c.Facts():
            if block.title:
                yield Prose(block.title, looks.HEAD_3, "H3")
            yield FactLines(block.rows)
        case c.Table():
            yield from _grid(block.title, *columns_and_rows(block), block.note)
        case c.Results():
            rows = [result_row(contents.evidence[key]) for key in block.evidence]
            yield from _grid(block.title, RESULT_COLUMNS, rows, block.note)
        case c.Figure():
            yield KeepTogether(
                [
                    Prose(f"Figure {block.id}  {block.title}", looks.CAPTION, "Caption"),
                    Chart(block.chart, block.data, block.text),
                    Prose(f"{block.text} {_cited(block.evidence)}", looks.FIGURE_TEXT, "Caption"),
                ]
            )
        case c.Picture():
            content = read_file(block.file)
            if content is None:
                yield Box(
                    "gap",
                    f"Picture {block.id} is not here",
                    f"{block.file} (SHA-256 {block.sha256}) could not be read.",
                )
                return
            yield KeepTogether(
                [
                    Prose(f"Picture {block.id}  {block.title}", looks.CAPTION, "Caption"),
                    Overlay(content, block.text, width_mm=block.width_mm),
                    Prose(
                        f"{block.legend} {block.text} {_cited(block.evidence)}".strip(), looks.FIGURE_TEXT, "Caption"
                    ),
                ]
            )
        case c.Gap():
            yield Box("gap", f"Missing: {block.subject}", f"{block.reason} To be supplied by: {block.owner}.")
        case c.Notice():
            yield Box(block.tone, block.title, block.text)
        case c.Removed():
            yield Box(
                "gap",
                f"Removed for this audience: {block.what}",
                f"SHA-256 of what stood here (salted): {block.sha256}",
            )


def result_row(evidence: c.Evidence) -> GridRow:
    """One Finding in two lines: what was found, and all that is needed to believe or repeat it."""
    finding = evidence.finding
    name = numbers.words(finding["quantity"])
    parts = (numbers.words(finding["signal"]), numbers.stratum(finding["stratum"]), evidence.deployment)
    where = " · ".join(filter(None, parts))
    told = [f"method {numbers.method(finding['method'])}", f"window {numbers.window(numbers.span(finding))}"]
    reference = finding.get("reference")
    told.append(
        f"reference {reference or 'none'}" + (f" (n {finding['n_reference']:,})" if finding.get("n_reference") else "")
    )
    if finding.get("n_patients") is not None:
        told.append(f"{finding['n_patients']:,} patients")
    if finding.get("model_version"):
        told.append(finding["model_version"])
    if finding.get("reason"):
        told.insert(0, finding["reason"])
    if evidence.suppressed:
        value, spread, n = "suppressed", evidence.suppressed, "—"
    else:
        value = numbers.with_unit(finding["value"], finding["unit"])
        spread = numbers.spread(finding)
        if finding["value"] is None:
            value, spread = "no value", "—"
        elif not spread:
            spread = "no interval: a count" if finding["unit"] == "cases" else "no interval is defined"
        n = f"{finding['n_cases']:,}"
    return GridRow(
        (evidence.id, f"{name}\n{where}", value, spread, n, finding["state"]), " · ".join(told), finding["state"]
    )


def columns_and_rows(table: c.Table) -> tuple[list[GridColumn], list[GridRow]]:
    """A row takes the state of its first state column."""
    columns = [GridColumn(x.title, x.share, x.right, x.mono, x.state) for x in table.columns]
    at = next((place for place, x in enumerate(table.columns) if x.state), None)
    return columns, [GridRow(row, state=row[at] if at is not None else "") for row in table.rows]


def _grid(title: str, columns: Any, rows: list[GridRow], note: str) -> Iterator[Flowable]:
    if title:
        yield CondPageBreak(WITH_TWO_ROWS if any(row.note for row in rows[:2]) else 80)
        yield Prose(title, looks.CAPTION, "Caption")
    for start in range(0, len(rows), CHUNK):
        yield Grid(columns, rows[start : start + CHUNK], continued=start > 0)
    yield Spacer(1, 5)
    if note:
        yield Prose(note, looks.SMALL_TEXT)


def _cited(evidence: list[str]) -> str:
    if not evidence:
        return ""
    shown = ", ".join(evidence[:6]) + (f" and {len(evidence) - 6} more in the twin" if len(evidence) > 6 else "")
    return f"Evidence: {shown}."
