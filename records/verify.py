"""Walks the whole trail: every event's hash, every link, every checkpoint, and names the first thing that is wrong."""

from dataclasses import dataclass

from records import keys
from records.chain import FIRST, event_sha256, link_sha256
from records.models import AuditEvent, AuditLink, Checkpoint, Signature
from records.services import checkpoint_statement


@dataclass(frozen=True, slots=True)
class TrailReport:
    """``broken`` is empty when everything holds; ``open_events`` have no place in the chain yet."""

    events: int
    links: int
    checkpoints: int
    signatures: int
    open_events: int
    broken: str


def verify_trail() -> TrailReport:
    counts = {
        "events": AuditEvent.objects.count(), "links": AuditLink.objects.count(),
        "checkpoints": Checkpoint.objects.count(), "signatures": Signature.objects.count(),
        "open_events": AuditEvent.objects.filter(link=None).count(),
    }  # fmt: skip
    return TrailReport(**counts, broken=_first_broken())


def _first_broken() -> str:
    checkpoints = {checkpoint.position: checkpoint for checkpoint in Checkpoint.objects.all()}
    previous, expected = FIRST, 0
    for link in AuditLink.objects.select_related("event").order_by("position").iterator(chunk_size=2000):
        expected += 1
        event = link.event
        if link.position != expected:
            return f"link {expected} is missing: the chain goes on at {link.position}"
        if event_sha256(event.content()) != event.sha256:
            return f"event {event.pk} ({event.action} on {event.subject_name}) at link {link.position} was changed"
        if link.previous != previous:
            return f"link {link.position} does not follow the one before it"
        if link_sha256(previous=previous, position=link.position, event=event.sha256) != link.sha256:
            return f"link {link.position} has a hash that is not its own"
        previous = link.sha256
        checkpoint = checkpoints.pop(link.position, None)
        if checkpoint and not _checkpoint_holds(checkpoint, previous):
            return f"checkpoint at link {link.position} does not match the chain or its signature"
    if checkpoints:
        return f"links up to the checkpoint at {max(checkpoints)} are missing: the chain ends at {expected}"
    for event in AuditEvent.objects.filter(link=None).iterator(chunk_size=2000):
        if event_sha256(event.content()) != event.sha256:
            return f"event {event.pk} ({event.action} on {event.subject_name}), not yet in the chain, was changed"
    for signature in Signature.objects.iterator(chunk_size=2000):
        if not keys.seal_holds(signature.statement(), signature.seal):
            return f"signature {signature.pk} of {signature.printed_name} was changed"
    return ""


def _checkpoint_holds(checkpoint: Checkpoint, sha256: str) -> bool:
    statement = checkpoint_statement(checkpoint.position, checkpoint.sha256, checkpoint.at, checkpoint.key_id)
    return checkpoint.sha256 == sha256 and keys.seal_holds(statement, checkpoint.signature)
