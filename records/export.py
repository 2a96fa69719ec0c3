"""The trail of one object as a file that verifies alone: its events, their links, and the hashes in between."""

from typing import Any

from django.db import models

from records import keys
from records.models import AuditEvent, AuditLink, Checkpoint
from records.services import checkpoint_now


def export_trail(subjects: list[models.Model]) -> dict[str, Any]:
    """Events of ``subjects`` in full, and for each link from the first of them to the last checkpoint its hashes.

    Foreign events in between appear as their SHA-256 alone, so the chain can be walked without telling their content.
    """
    checkpoint_now()
    wanted = models.Q(pk__in=[])
    for subject in subjects:
        wanted |= models.Q(subject_kind=subject._meta.label_lower, subject_id=str(subject.pk))
    events = {event.pk: event for event in AuditEvent.objects.filter(wanted)}
    first = AuditLink.objects.filter(event_id__in=events).order_by("position").first()
    links = AuditLink.objects.filter(position__gte=first.position if first else 0).select_related("event")
    return {
        "kind": "vigil-audit-trail",
        "format": 1,
        "public_key_pem": keys.public_key_pem().decode(),
        "previous": first.previous if first else "",
        "links": [
            {
                "position": link.position, "sha256": link.sha256, "event_sha256": link.event.sha256,
                "event": link.event.content() if link.event_id in events else None,
            }
            for link in (links if first else ())
        ],
        "checkpoints": [
            {"position": c.position, "sha256": c.sha256, "at": c.at, "key_id": c.key_id, "signature": c.signature}
            for c in Checkpoint.objects.filter(position__gte=first.position if first else 0)
        ],
    }  # fmt: skip
