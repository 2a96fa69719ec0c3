"""Requirements as data: frameworks, their sentences, and the kinds of evidence that serve each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from assurance.evidence.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class EvidenceKind:
    """``computed`` kinds are proved by a Finding or a record of the platform, never by typed words."""

    id: str
    title: str
    description: str
    origin: str
    computed: bool


@dataclass(frozen=True, slots=True)
class Requirement:
    """One sentence of a framework. ``verified`` False: its wording rests on general knowledge, so check it first."""

    id: str
    framework: str
    ref: str
    title: str
    summary: str
    evidence: tuple[str, ...]
    actor: str
    verified: bool


@dataclass(frozen=True, slots=True)
class Framework:
    id: str
    title: str
    jurisdiction: str
    version: str
    date: str
    status: str
    force: str
    citation: str
    requirements: tuple[Requirement, ...]


@dataclass(frozen=True, slots=True)
class Catalogue:
    frameworks: Mapping[str, Framework]
    kinds: Mapping[str, EvidenceKind]

    def framework(self, key: str) -> Framework:
        if key not in self.frameworks:
            raise InvalidInput(
                "unknown_framework", f"framework {key!r} is not known: choose from {', '.join(sorted(self.frameworks))}"
            )
        return self.frameworks[key]

    def requirement(self, key: str) -> Requirement:
        for framework in self.frameworks.values():
            for requirement in framework.requirements:
                if requirement.id == key:
                    return requirement
        raise InvalidInput("unknown_requirement", f"requirement {key!r} is in none of the frameworks")

    def kind(self, key: str) -> EvidenceKind:
        if key not in self.kinds:
            raise InvalidInput("unknown_kind", f"evidence kind {key!r} is not known: see the catalogue of kinds")
        return self.kinds[key]

    def served_by(self, kind: str) -> list[Requirement]:
        """Every requirement, of every framework, that asks for ``kind``."""
        return [r for f in self.frameworks.values() for r in f.requirements if kind in r.evidence]


def read_catalogue(frameworks: Iterable[Mapping[str, Any]], kinds: Mapping[str, Any]) -> Catalogue:
    """Build the catalogue and refuse (``unknown_kind``) a requirement that names a kind outside the vocabulary."""
    known = {entry["id"]: EvidenceKind(**entry) for entry in kinds["evidence_kinds"]}
    found = {entry["id"]: _framework(entry) for entry in frameworks}
    for framework in found.values():
        for requirement in framework.requirements:
            for kind in requirement.evidence:
                if kind not in known:
                    raise InvalidInput("unknown_kind", f"{requirement.id} asks for {kind!r}, which is not a kind")
    return Catalogue(frameworks=dict(sorted(found.items())), kinds=known)


def _framework(entry: Mapping[str, Any]) -> Framework:
    return Framework(
        id=entry["id"], title=entry["title"], jurisdiction=entry["jurisdiction"], version=str(entry["version"]),
        date=str(entry["date"]), status=entry["status"], force=entry["force"], citation=entry["citation"],
        requirements=tuple(
            Requirement(
                id=r["id"], framework=entry["id"], ref=str(r["ref"]), title=r["title"], summary=r["summary"],
                evidence=tuple(r["evidence"]), actor=r["actor"], verified=bool(r["verified"]),
            )
            for r in entry["requirements"]
        ),
    )  # fmt: skip
