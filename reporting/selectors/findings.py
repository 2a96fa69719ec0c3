"""Findings of a deployment and its version in a period, as the dossier cites them."""

from datetime import datetime

from django.db.models import Q

from assurance.models import Deployment, FindingRecord, ModelVersion
from records.canonical import content_hash
from reporting.dossier.contents import Evidence
from reporting.dossier.kinds import evidence_kind


def evidence_of(
    *, deployments: list[Deployment], version: ModelVersion, start: datetime, end: datetime
) -> tuple[Evidence, ...]:
    """Current findings whose window lies in the period, and those without a window (reference, version tests).

    A window counts when it overlaps the period: performance looks back over its own span.
    """
    windowed = Q(window_start__lt=end, window_end__gt=start)
    whose = Q(deployment=None, version=version) | Q(deployment__in=deployments)
    rows = FindingRecord.objects.filter(whose & (windowed | Q(window_start=None)), superseded_by=None)
    names = {one.pk: one.name for one in deployments} if len(deployments) > 1 else {}
    found: dict[str, Evidence] = {}
    for row in rows.order_by("family", "quantity", "signal", "stratum", "window_start", "pk").iterator(chunk_size=2000):
        kind = evidence_kind(row.family, row.content)
        digest = content_hash(row.content)  # of what is printed: the database may spell a number (-0.0) in another way
        found[digest[:12]] = Evidence(
            id=digest[:12],
            digest=digest,
            family=row.family,
            kind=kind,
            finding=row.content,
            deployment=names.get(row.deployment_id, ""),
        )
    return tuple(found.values())
