"""The trail of some objects, and a signature, as files that verify alone (see ``records.verify_file``)."""

from collections.abc import Iterable
from typing import Any

from django.db import models

from records import certificate, keys
from records.models import AuditEvent, AuditLink, Checkpoint, Signature
from records.services import checkpoint_now

CONTIGUOUS = 5000  # a longer stretch of other objects' links is cut out between two checkpoints


def export_trail(subjects: Iterable[models.Model]) -> dict[str, Any]:
    """Events of ``subjects`` in full, and the links that tie them to signed checkpoints."""
    wanted = models.Q(pk__in=[])
    for subject in subjects:
        wanted |= models.Q(subject_kind=subject._meta.label_lower, subject_id=str(subject.pk))
    return export_events(AuditEvent.objects.filter(wanted))


def export_events(chosen: "models.QuerySet[AuditEvent]") -> dict[str, Any]:
    """The ``chosen`` events in full, and for each link from the first of them to the last checkpoint its hashes.

    Foreign events in between appear as their SHA-256 alone, so the chain can be walked without telling their content.
    In a long trail the links from one checkpoint to a later one are left out where no chosen event lies between them;
    each link names the one before it, and every stretch ends at a signed checkpoint.
    """
    checkpoint_now()
    events = {event.pk: event for event in chosen}
    placed = AuditLink.objects.filter(event_id__in=events).order_by("position").values_list("position", flat=True)
    positions = list(placed)
    checkpoints = list(Checkpoint.objects.filter(position__gte=positions[0])) if positions else []
    links = AuditLink.objects.filter(_stretches(positions, [c.position for c in checkpoints]))
    rows = links.order_by("position").values_list(
        "position", "previous", "sha256", "event_id", "event__sha256", named=True
    )
    return {
        "kind": "vigil-audit-trail",
        "format": 1,
        "public_key_pem": keys.public_key_pem().decode(),
        "previous": AuditLink.objects.get(position=positions[0]).previous if positions else "",
        "links": [
            {
                "position": row.position, "previous": row.previous, "sha256": row.sha256,
                "event_sha256": row.event__sha256,
                "event": events[row.event_id].content() if row.event_id in events else None,
            }
            for row in rows.iterator(chunk_size=2000)
        ],
        "checkpoints": [
            {"position": c.position, "sha256": c.sha256, "at": c.at, "key_id": c.key_id, "signature": c.signature}
            for c in checkpoints
        ],
    }  # fmt: skip


def _stretches(positions: list[int], checkpoints: list[int]) -> models.Q:
    if not positions:
        return models.Q(pk__in=[])
    if checkpoints[-1] - positions[0] <= CONTIGUOUS:
        return models.Q(position__gte=positions[0], position__lte=checkpoints[-1])
    needed, end = models.Q(pk__in=[]), 0
    for position in positions:
        if position > end:
            end = next(one for one in checkpoints if one >= position)
            needed |= models.Q(position__gte=position, position__lte=end)
    return needed


def export_signature(signature: Signature) -> dict[str, Any]:
    """One signature with all that a reader needs to check it without this instance."""
    return {
        "kind": "vigil-signature",
        "format": 1,
        "subject_name": signature.subject_name,
        "statement": signature.statement(),
        "seal": signature.seal,
        "key_id": signature.key_id,
        "public_key_pem": keys.public_key_pem().decode(),
        "certificate_pem": certificate.certificate_pem().decode(),
    }
