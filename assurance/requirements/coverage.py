"""Coverage of requirements, computed from the evidence that there is; nobody types it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from assurance.requirements.catalogue import Requirement


@dataclass(frozen=True, slots=True)
class Evidence:
    """One piece of evidence as the graph sees it.

    ``standing`` is "current", "stale" (what it rests on was superseded), "insufficient" (a Finding without a value),
    "not_available" or "not_applicable"; all but the first carry a ``reason``. Only current evidence serves.
    """

    kind: str
    title: str
    sha256: str
    standing: str = "current"
    reason: str = ""
    address: str = ""
    id: str = ""

    @property
    def serves(self) -> bool:
        return self.standing == "current"


@dataclass(frozen=True, slots=True)
class NotApplicable:
    reason: str
    signed_by: str


@dataclass(frozen=True, slots=True)
class RequirementCoverage:
    """``state`` is met, partial, gap or not_applicable; ``verified`` is the catalogue's mark of the entry's wording."""

    requirement: Requirement
    state: str
    reason: str
    evidence: tuple[Evidence, ...]
    missing: tuple[str, ...] = ()
    stale: bool = False
    verified: bool = True
    signed_by: str = field(default="")

    @property
    def id(self) -> str:
        return self.requirement.id

    @property
    def title(self) -> str:
        return self.requirement.title


STATES = ("met", "partial", "gap", "not_applicable")


def cover(
    requirement: Requirement, evidence: Mapping[str, Sequence[Evidence]], *, not_applicable: NotApplicable | None = None
) -> RequirementCoverage:
    """The state of one requirement.

    It is met when every kind it names has at least one current piece of evidence, partial when some have, a gap when
    none has. A signed statement that it does not apply wins over both.
    """
    pieces = tuple(piece for kind in requirement.evidence for piece in evidence.get(kind, ()))
    stale = any(piece.standing == "stale" for piece in pieces)
    if not_applicable is not None:
        return RequirementCoverage(
            requirement, "not_applicable", not_applicable.reason, pieces, stale=stale, verified=requirement.verified,
            signed_by=not_applicable.signed_by,
        )  # fmt: skip
    missing = tuple(kind for kind in requirement.evidence if not any(p.serves for p in evidence.get(kind, ())))
    state = "met" if not missing else "gap" if len(missing) == len(requirement.evidence) else "partial"
    reason = "; ".join(_why(kind, evidence.get(kind, ())) for kind in missing)
    return RequirementCoverage(
        requirement, state, reason, pieces, missing=missing, stale=stale, verified=requirement.verified
    )


def _why(kind: str, pieces: Sequence[Evidence]) -> str:
    reasons = sorted({f"{piece.standing.replace('_', ' ')}: {piece.reason}" for piece in pieces if not piece.serves})
    return f"{kind}: {', '.join(reasons)}" if reasons else f"{kind}: nothing on file"


def totals(rows: Iterable[RequirementCoverage]) -> dict[str, int]:
    """Requirements by state, every state named."""
    counts = dict.fromkeys(STATES, 0)
    for row in rows:
        counts[row.state] += 1
    return counts


def by_kind(evidence: Iterable[Evidence]) -> dict[str, list[Evidence]]:
    found: dict[str, list[Evidence]] = {}
    for piece in evidence:
        found.setdefault(piece.kind, []).append(piece)
    return found
