"""Cards as pages, exports and submissions read them."""

from assurance import regulation
from assurance.cards import completeness as counting
from assurance.cards.answers import findings_in
from assurance.cards.completeness import Completeness
from assurance.models import CardRevision, Deployment, FindingRecord, ModelCard, ModelVersion


def card_of(
    version: ModelVersion, *, layer: str = "developer", deployment: Deployment | None = None
) -> ModelCard | None:
    return ModelCard.objects.filter(version=version, layer=layer, deployment=deployment).first()


def latest_revision(
    version: ModelVersion, *, layer: str = "developer", deployment: Deployment | None = None
) -> CardRevision | None:
    card = card_of(version, layer=layer, deployment=deployment)
    return card.latest() if card else None


def completeness(revision: CardRevision, framework: str | None = None) -> Completeness:
    """Fields of ``revision`` that ``framework`` asks for; None counts every field that is not optional."""
    ids = None
    if framework is not None:
        ids = {requirement.id for requirement in regulation.catalogue().framework(framework).requirements}
    return counting.completeness(
        revision.answers, regulation.card_schema(), framework=framework or "all fields", requirement_ids=ids
    )


def all_completeness(revision: CardRevision) -> list[Completeness]:
    """The whole card first, then every framework that asks for a field, the one that asks for most first."""
    rows = [completeness(revision, framework) for framework in regulation.catalogue().frameworks]
    return [completeness(revision), *sorted((row for row in rows if row.asked), key=lambda row: -row.asked)]


def cited_findings(revision: CardRevision) -> dict[str, FindingRecord]:
    """Findings that the card cites, by digest: the newest row of each content."""
    digests = list(findings_in(revision.answers))
    rows = FindingRecord.objects.filter(digest__in=digests).select_related("superseded_by").order_by("pk")
    return {row.digest: row for row in rows}


def stale_citations(revision: CardRevision) -> dict[str, str]:
    """Field to reason, for every field whose Finding was superseded or is not on this instance."""
    found = cited_findings(revision)
    stale = {}
    for digest, fields in findings_in(revision.answers).items():
        record = found.get(digest)
        for field in fields:
            if record is None:
                stale[field] = f"Finding {digest[:12]} is not on this instance"
            elif record.superseded_by_id:
                stale[field] = f"Finding {digest[:12]} was superseded by {record.superseded_by.evidence_id}"
    return stale
