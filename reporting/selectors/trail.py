"""The audit trail about a dossier and what it speaks of."""

from typing import Any

from django.db import models

from monitoring.models import Alarm, MonitoringPlan, ReferenceSet
from records import keys
from records.export import export_trail
from records.models import AuditEvent, AuditLink, Signature
from reporting.models import Dossier


def subjects(dossier: Dossier) -> list[models.Model]:
    """Whose events the bundle carries in full: for the public the dossier's own, else also those of what it cites."""
    found: list[models.Model] = [dossier]
    if dossier.audience == Dossier.Audience.PUBLIC:
        return found
    found += [dossier.version, dossier.version.model, *([dossier.submission] if dossier.submission else [])]
    for deployment in dossier.deployments():
        found.append(deployment)
        found += list(MonitoringPlan.objects.filter(deployment=deployment))
        found += list(ReferenceSet.objects.filter(deployment=deployment))
        found += list(
            Alarm.objects.filter(deployment=deployment, window_start__lt=dossier.end, last_window_end__gt=dossier.start)
        )
    return found


def trail_of(dossier: Dossier) -> dict[str, Any]:
    return export_trail(subjects(dossier))


def about(dossier: Dossier) -> models.Q:
    """Events and signatures of the dossier's subjects."""
    found = models.Q(pk__in=[])
    for subject in subjects(dossier):
        found |= models.Q(subject_kind=subject._meta.label_lower, subject_id=str(subject.pk))
    return found


def trail_head(dossier: Dossier) -> dict[str, Any]:
    """Where the chain stood at freezing."""
    last = AuditLink.objects.order_by("-position").first()
    if last is None:
        return {}
    return {
        "events": AuditEvent.objects.filter(about(dossier)).count(),
        "position": last.position,
        "sha256": last.sha256,
        "key_id": keys.key_id(),
    }


def signatures_on(dossier: Dossier) -> list[dict[str, Any]]:
    """Electronic signatures on the records that the dossier cites."""
    return [
        {
            "name": s.printed_name,
            "role": s.role.replace("_", " "),
            "meaning": s.meaning,
            "at": s.signed_at.isoformat(),
            "content_sha256": s.content_sha256,
        }
        for s in Signature.objects.filter(about(dossier))
    ]
