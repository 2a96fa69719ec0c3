"""What a dossier says, as plain data: frozen at build, hashed, printed as PDF and shipped as its machine-readable twin.

A dossier is sections of blocks. Blocks cite Findings by evidence id and never hold a computed value of their own,
so the
number on the page, in the twin and in the bundle are one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Literal

import msgspec

from records.canonical import canonical_json, content_hash

FORMAT = "vigil-dossier-contents"
VERSION = 1
AUDIENCES = ("public", "regulator", "internal")  # each sees what the ones before it see, and more
Audience = Literal["public", "regulator", "internal"]


class Block(msgspec.Struct, kw_only=True, tag_field="kind", omit_defaults=False):
    """``open_to``: the widest audience that may read it."""

    open_to: Audience = "public"


class Heading(Block, tag="heading", kw_only=True):
    text: str
    level: int = 2


class Text(Block, tag="text", kw_only=True):
    text: str
    small: bool = False


class Facts(Block, tag="facts", kw_only=True):
    """Names with their values, each a line."""

    title: str = ""
    rows: list[list[str]]


class Column(msgspec.Struct):
    title: str
    share: float = 1.0
    right: bool = False
    mono: bool = False
    state: bool = False  # the cell holds a state, printed as shape and word


class Table(Block, tag="table", kw_only=True):
    title: str
    columns: list[Column]
    rows: list[list[str]]
    note: str = ""


class Results(Block, tag="results", kw_only=True):
    """Findings by evidence id, each printed with unit, interval or null law, n, reference, window, method and seed."""

    title: str
    evidence: list[str]
    note: str = ""


class Figure(Block, tag="figure", kw_only=True):
    """``chart`` names the drawing, ``data`` is all it draws; ``text`` tells the same to a reader who cannot see it."""

    id: str
    chart: str
    title: str
    text: str
    data: dict[str, Any]
    evidence: list[str]


class Picture(Block, tag="picture", kw_only=True):
    """A stored image (an overlay): ``file`` is its path in the bundle, ``width_mm`` the true width when known."""

    id: str
    title: str
    text: str
    file: str
    sha256: str
    evidence: list[str]
    width_mm: float | None = None
    legend: str = ""


class Gap(Block, tag="gap", kw_only=True):
    """What should stand here and does not, why, and who could mend it."""

    subject: str
    reason: str
    owner: str
    evidence_kind: str = ""


class Notice(Block, tag="notice", kw_only=True):
    tone: Literal["info", "watch", "act"] = "info"
    title: str
    text: str


class Removed(Block, tag="removed", kw_only=True):
    """A mark where a block was taken out for this audience; ``sha256`` matches it to the fuller version."""

    what: str
    sha256: str


AnyBlock = Heading | Text | Facts | Table | Results | Figure | Picture | Gap | Notice | Removed


class Section(msgspec.Struct, kw_only=True):
    id: str
    title: str
    origin: str
    kinds: list[str]
    blocks: list[AnyBlock]

    @property
    def number(self) -> str:
        return self.id[:2]

    @property
    def gaps(self) -> list[Gap]:
        return [block for block in self.blocks if isinstance(block, Gap)]

    @property
    def state(self) -> str:
        filled = any(not isinstance(block, Gap | Heading) for block in self.blocks)
        return "filled" if filled and not self.gaps else "partly" if filled else "gap"


class Identity(msgspec.Struct, kw_only=True):
    """What stands on the cover. Times are ISO 8601 with zone."""

    number: str
    title: str
    purpose: str
    audience: Audience
    programme: str
    submission: str
    submission_state: str
    deployment: str
    organisation: str
    developer: str
    model: str
    version: str
    weights_sha256: str
    start: str
    end: str
    frozen_at: str
    built_by: str
    supersedes: str
    instance: str
    software: dict[str, str]
    language: str = "en-GB"


class Evidence(msgspec.Struct, kw_only=True):
    """One Finding with its family; ``id`` is the first twelve digits of ``digest``, the SHA-256 of ``finding``."""

    id: str
    digest: str
    family: str
    kind: str
    finding: dict[str, Any]
    deployment: str = ""  # its name, where the dossier speaks of several
    suppressed: str = ""


class Banner(msgspec.Struct, kw_only=True):
    """Page one: what a reader must know before any success."""

    state: str
    states: dict[str, int]
    failed: list[str]
    watched: list[str]
    n_gaps: int
    notices: list[str]


class Contents(msgspec.Struct, kw_only=True):
    format: str = FORMAT
    version: int = VERSION
    identity: Identity
    banner: Banner
    sections: list[Section]
    evidence: dict[str, Evidence]
    signers: list[dict[str, str]]
    files: dict[str, str]  # path in the bundle -> SHA-256, for every evidence file that existed when this was frozen
    redaction: dict[str, str]

    def gaps(self) -> list[tuple[Section, Gap]]:
        return [(section, gap) for section in self.sections for gap in section.gaps]

    def figures(self) -> list[Figure]:
        return [block for section in self.sections for block in section.blocks if isinstance(block, Figure)]


def freeze(contents: Contents) -> bytes:
    """The canonical bytes; their SHA-256 is the content hash in the foot of every page."""
    typed = msgspec.convert(
        msgspec.to_builtins(contents), Contents
    )  # a whole number in a float's place becomes a float
    return canonical_json(msgspec.to_builtins(typed))


def thaw(content: bytes) -> Contents:
    return msgspec.json.decode(content, type=Contents)


class _Folded(Contents, kw_only=True):
    evidence: dict[str, msgspec.Raw]  # type: ignore[assignment]


class _Unfolding(Mapping[str, Evidence]):
    """Evidence decoded each time it is asked for: a long dossier's Findings never stand in memory as objects."""

    def __init__(self, folded: dict[str, msgspec.Raw]) -> None:
        self._folded = folded

    def __getitem__(self, key: str) -> Evidence:
        return msgspec.json.decode(self._folded[key], type=Evidence)

    def __iter__(self) -> Iterator[str]:
        return iter(self._folded)

    def __len__(self) -> int:
        return len(self._folded)


def thaw_for_print(content: bytes) -> Contents:
    """As :func:`thaw`, but evidence is only to be read, and is decoded when read."""
    folded = msgspec.json.decode(content, type=_Folded)
    folded.evidence = _Unfolding(folded.evidence)  # type: ignore[assignment]
    return folded


def block_hash(block: Block, *, salt: str) -> str:
    """Names a removed block without telling it: salted, since short texts could be guessed from a bare hash."""
    return content_hash({"salt": salt, "block": msgspec.to_builtins(block)})
