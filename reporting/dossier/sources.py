"""Everything that sections read, as plain values gathered once: after this nothing asks a database or a clock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from reporting.dossier.contents import AnyBlock, Evidence, Gap, Identity, Results


class Absent(Exception):
    """A source that is not there: becomes a printed gap with this reason and owner."""

    def __init__(self, subject: str, reason: str, owner: str) -> None:
        super().__init__(reason)
        self.subject, self.reason, self.owner = subject, reason, owner


@dataclass(frozen=True)
class Sources:
    """One snapshot. Lists are empty and mappings None where nothing was recorded; ``absent`` says why, by source
    name."""

    identity: Identity
    evidence: tuple[Evidence, ...]
    version: dict[str, Any]
    lineage: list[dict[str, Any]]
    deployment: dict[str, Any] | None = None
    sites: list[dict[str, str]] = field(default_factory=list)
    references: list[dict[str, Any]] = field(default_factory=list)
    plan: dict[str, Any] | None = None
    windows: list[dict[str, Any]] = field(default_factory=list)
    intake: dict[str, Any] | None = None
    alarms: list[dict[str, Any]] = field(default_factory=list)
    card: list[dict[str, Any]] | None = None  # fields of the signed card: id, label, kinds, state, reason, value
    coverage: list[dict[str, Any]] | None = None  # rows of the conformity matrices
    submission: dict[str, Any] | None = None
    explanations: list[dict[str, Any]] = field(default_factory=list)
    incidents: list[dict[str, Any]] | None = None
    changes: list[dict[str, Any]] = field(default_factory=list)
    documents: list[dict[str, Any]] = field(default_factory=list)  # evidence items that are not Findings, by kind
    reliability: list[dict[str, Any]] = field(default_factory=list)
    roc: list[dict[str, Any]] = field(default_factory=list)
    signatures: list[dict[str, Any]] = field(default_factory=list)
    trail: dict[str, Any] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    kind_titles: dict[str, str] = field(default_factory=dict)
    previous: dict[str, Any] | None = None  # what changed since the superseded dossier
    absent: dict[str, tuple[str, str]] = field(default_factory=dict)

    def findings(self, *kinds: str) -> list[Evidence]:
        return [item for item in self.evidence if item.kind in kinds]

    def need(self, name: str, subject: str) -> Any:
        """The source ``name``; raises :class:`Absent` with its reason when it holds nothing."""
        found = getattr(self, name)
        if found:
            return found
        reason, owner = self.absent.get(name, ("Nothing was recorded.", "the developer"))
        raise Absent(subject, reason, owner)

    def kind_title(self, kind: str) -> str:
        return self.kind_titles.get(kind, kind.replace("_", " ").replace(".", ": "))


Fill = Callable[[Sources], Iterator[AnyBlock]]


@dataclass(frozen=True)
class SectionPlan:
    """One section: what fills it (``origin``), which evidence kinds belong to it, and the function that fills it."""

    id: str
    title: str
    origin: str
    kinds: tuple[str, ...]
    owner: str
    fill: Fill


def results(title: str, evidence: Iterable[Evidence], *, note: str = "") -> Iterator[Results]:
    """A results table, worst first, or nothing at all when there is no Finding."""
    rank = {"act": 0, "watch": 1, "insufficient": 2, "ok": 3}
    found = sorted(evidence, key=lambda item: (rank.get(item.finding["state"], 4), *place(item)))
    if found:
        yield Results(title=title, evidence=[item.id for item in found], note=note)


def place(item: Evidence) -> tuple[str, ...]:
    finding = item.finding
    window = finding.get("window") or {}
    return (
        str(finding["quantity"]),
        str(finding["signal"]),
        str(sorted((finding.get("stratum") or {}).items())),
        str(window.get("start", "")),
    )


def counted(evidence: Iterable[Evidence]) -> dict[str, int]:
    return dict(Counter(item.finding["state"] for item in evidence))


def gap(subject: str, reason: str, owner: str, kind: str = "") -> Gap:
    return Gap(subject=subject, reason=reason, owner=owner, evidence_kind=kind)
