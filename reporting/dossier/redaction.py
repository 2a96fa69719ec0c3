"""Three audiences from one snapshot: what is cut leaves a mark and the salted hash of what stood there.

public
    No block meant for fewer readers; sites become letters; groups under ten cases lose their value; details that carry
    counts of single groups, names of people and pseudonyms of cases go.
regulator
    No block meant for internal readers only.
internal
    Everything.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from records.canonical import content_hash
from reporting.dossier.contents import (
    AUDIENCES,
    AnyBlock,
    Contents,
    Evidence,
    Facts,
    Figure,
    Heading,
    Removed,
    Section,
    Table,
    Text,
    block_hash,
)

SMALL_CELL = 10
SUPPRESSED = f"fewer than {SMALL_CELL} cases"
RULES = {
    "internal": "Nothing was removed.",
    "regulator": "Blocks open to internal readers only were removed.",
    "public": (
        "Blocks open to authorities or internal readers only were removed; names of sites, organisations and "
        "people were replaced; "
        f"values of groups with fewer than {SMALL_CELL} cases were suppressed; details of findings were removed."
    ),
}


def redacted(contents: Contents, *, salt: str) -> Contents:
    """``contents`` cut for its own audience. The fuller versions carry the salt, so that an authority can match
    the marks."""
    audience = contents.identity.audience
    level = AUDIENCES.index(audience)
    contents.sections = [_section(section, level=level, salt=salt) for section in contents.sections]
    contents.redaction = {"rules": RULES[audience], "salt": salt if audience != "public" else ""}
    if audience == "public":
        _public(contents)
    return contents


def _section(section: Section, *, level: int, salt: str) -> Section:
    blocks: list[AnyBlock] = []
    for block in section.blocks:
        if AUDIENCES.index(block.open_to) <= level:
            blocks.append(block)
        elif not isinstance(block, Heading):
            what = getattr(block, "title", "") or type(block).__name__.lower()
            blocks.append(Removed(what=f"{what} (open to: {block.open_to})", sha256=block_hash(block, salt=salt)))
    return msgspec.structs.replace(section, blocks=blocks)


def _public(contents: Contents) -> None:
    names = _names(contents)
    kept: dict[str, Evidence] = {}
    for key, item in contents.evidence.items():
        kept[key] = _evidence(item, names)
    contents.evidence = kept
    small = {key for key, item in kept.items() if item.suppressed}
    for section in contents.sections:
        section.blocks = [_block(block, names, small) for block in section.blocks]
    identity = contents.identity
    contents.identity = msgspec.structs.replace(
        identity,
        organisation="Hospital A" if identity.organisation else "",
        built_by="the instance",
        deployment=_without(identity.deployment, names),
        title=_without(identity.title, names),
        instance="",
    )


def _names(contents: Contents) -> dict[str, str]:
    """Every site by its letter, in the order of their codes; longest first, so that no part of a name is left."""
    codes = sorted(
        {item.finding["stratum"]["site"] for item in contents.evidence.values() if "site" in item.finding["stratum"]}
    )
    letters = {code: f"Site {_letter(place)}" for place, code in enumerate(codes)}
    for section in contents.sections:
        for block in section.blocks:
            if isinstance(block, Table) and block.title == "Sites":
                for row in block.rows:
                    letter = letters.setdefault(row[1], f"Site {_letter(len(letters))}")
                    letters[row[0]] = letter
    if contents.identity.organisation:
        letters[contents.identity.organisation] = "Hospital A"
    letters |= {contents.identity.built_by: "the instance", contents.identity.instance: "the instance"}
    return dict(sorted(letters.items(), key=lambda pair: -len(pair[0])))


def _letter(place: int) -> str:
    return chr(ord("A") + place) if place < 26 else f"A{place - 25}"


def _without(text: str, names: dict[str, str]) -> str:
    for name, letter in names.items():
        if name:
            text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", letter, text)
    return text


def _evidence(item: Evidence, names: dict[str, str]) -> Evidence:
    finding: dict[str, Any] = dict(_replaced(item.finding, names))
    finding["details"] = {}
    suppressed = ""
    if 0 < item.finding["n_cases"] < SMALL_CELL:
        suppressed = SUPPRESSED
        for name in ("value", "interval", "null", "effect", "n_patients"):
            finding[name] = None
        finding["n_cases"] = 0
        finding["reason"] = f"suppressed: {SUPPRESSED}"
        finding["state"] = "insufficient"
    return msgspec.structs.replace(item, finding=finding, suppressed=suppressed, digest=content_hash(item.finding))


def _replaced(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, str):
        return names.get(value) or _without(value, names)
    if isinstance(value, dict):
        return {key: _replaced(part, names) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_replaced(part, names) for part in value]
    return value


def _block(block: AnyBlock, names: dict[str, str], small: set[str]) -> AnyBlock:
    if isinstance(block, Table):
        rows = [[_without(cell, names) for cell in row] for row in block.rows]
        if small:
            rows = [
                ["suppressed" if row and _cites(row, small) and place else cell for place, cell in enumerate(row)]
                for row in rows
            ]
        return msgspec.structs.replace(block, rows=rows, title=_without(block.title, names))
    if isinstance(block, Facts):
        return msgspec.structs.replace(block, rows=[[_without(cell, names) for cell in row] for row in block.rows])
    if isinstance(block, Text):
        return msgspec.structs.replace(block, text=_without(block.text, names))
    if isinstance(block, Figure):
        if small & set(block.evidence):
            return Removed(what=f"{block.title} (a group has {SUPPRESSED})", sha256=content_hash({"figure": block.id}))
        return msgspec.structs.replace(
            block,
            data=_replaced(block.data, names),
            title=_without(block.title, names),
            text=_without(block.text, names),
        )
    return block


def _cites(row: list[str], small: set[str]) -> bool:
    return any(cell in small for cell in row)
