"""Findings become rows: written once, superseded by later ones, never edited."""

from collections.abc import Iterable
from typing import Any

from django.db import transaction

from assurance.evidence.finding import Finding
from assurance.models import Deployment, FindingRecord, ModelVersion


def stratum_key(stratum: Any) -> str:
    """``{"site": "nih", "sex": "F"}`` as ``sex=F;site=nih``: one spelling whatever the order."""
    return ";".join(f"{factor}={stratum[factor]}" for factor in sorted(stratum))


@transaction.atomic
def store_finding(
    finding: Finding, *, family: str, deployment: Deployment | None = None, version: ModelVersion | None = None
) -> FindingRecord:
    """Store ``finding`` and let it supersede the current one of the same place (signal, stratum, window, version).

    The same content again is no new row: the digest tells, so that a repeated task changes nothing.
    """
    window = finding.window
    place: dict[str, Any] = {
        "deployment": deployment,
        "version": version,
        "family": family,
        "quantity": finding.quantity,
        "signal": finding.signal,
        "stratum": stratum_key(finding.stratum),
        "window_start": window.start if window else None,
        "window_end": window.end if window else None,
    }
    digest = finding.digest()
    lookups = {f"{name}__isnull" if value is None else name: value is None or value for name, value in place.items()}
    current = FindingRecord.objects.select_for_update().filter(superseded_by=None, **lookups).first()
    if current is not None and current.digest == digest:
        return current
    fresh = FindingRecord(
        digest=digest, value=finding.value, state=finding.state.value, n_cases=finding.n_cases,
        content=finding.as_dict(), **place,
    )  # fmt: skip
    if current is None:
        fresh.save()
        return fresh
    # The unique rule speaks of current rows only, so the old row first points at itself, then at its successor.
    FindingRecord.objects.filter(pk=current.pk).update(superseded_by=current.pk)
    fresh.save()
    FindingRecord.objects.filter(pk=current.pk).update(superseded_by=fresh.pk)
    return fresh


def store_findings(
    findings: Iterable[Finding],
    *,
    family: str,
    deployment: Deployment | None = None,
    version: ModelVersion | None = None,
) -> list[FindingRecord]:
    with transaction.atomic():
        return [store_finding(item, family=family, deployment=deployment, version=version) for item in findings]
