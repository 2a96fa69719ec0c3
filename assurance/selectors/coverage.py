"""Coverage of every framework by the evidence of one submission, computed at each look."""

from dataclasses import dataclass

from assurance import regulation
from assurance.models import Submission
from assurance.requirements.catalogue import Framework, Requirement
from assurance.requirements.coverage import Evidence, NotApplicable, RequirementCoverage, by_kind, cover, totals
from assurance.selectors.evidence import pieces_of


def frameworks() -> list[Framework]:
    return list(regulation.catalogue().frameworks.values())


def coverage_of(
    submission: Submission, *, framework: str, pieces: list[Evidence] | None = None,
    judged: dict[str, NotApplicable] | None = None,
) -> list[RequirementCoverage]:  # fmt: skip
    """One row for each requirement of ``framework``, none left out. ``pieces`` and ``judged`` spare a second look."""
    evidence = by_kind(pieces_of(submission) if pieces is None else pieces)
    judged = not_applicable_in(submission) if judged is None else judged
    wanted = regulation.catalogue().framework(framework).requirements
    return [cover(requirement, evidence, not_applicable=judged.get(requirement.id)) for requirement in wanted]


def not_applicable_in(submission: Submission) -> dict[str, NotApplicable]:
    rows = submission.judgements.select_related("person")
    return {row.requirement: NotApplicable(reason=row.reason, signed_by=row.person.name) for row in rows}


@dataclass(frozen=True, slots=True)
class FrameworkTotals:
    framework: Framework
    counts: dict[str, int]
    stale: int

    @property
    def asked(self) -> int:
        return sum(self.counts.values())

    @property
    def percent(self) -> int:
        """Met among those that apply."""
        applying = self.asked - self.counts["not_applicable"]
        return round(100 * self.counts["met"] / applying) if applying else 100


def coverage_totals(submission: Submission, *, pieces: list[Evidence] | None = None) -> list[FrameworkTotals]:
    pieces = pieces_of(submission) if pieces is None else pieces
    judged = not_applicable_in(submission)
    rows = []
    for framework in frameworks():
        covered = coverage_of(submission, framework=framework.id, pieces=pieces, judged=judged)
        rows.append(FrameworkTotals(framework, totals(covered), sum(row.stale for row in covered)))
    return rows


@dataclass(frozen=True, slots=True)
class Service:
    """One piece of evidence and every requirement, of every framework, that it serves."""

    evidence: Evidence
    requirements: tuple[Requirement, ...]


def cross_framework(submission: Submission, *, pieces: list[Evidence] | None = None) -> list[Service]:
    pieces = pieces_of(submission) if pieces is None else pieces
    served = regulation.catalogue().served_by
    rows = [Service(piece, tuple(served(piece.kind))) for piece in pieces]
    return sorted(rows, key=lambda row: (-len(row.requirements), row.evidence.kind, row.evidence.title))
