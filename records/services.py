"""Writing to the audit trail: the event in the transaction of the change, its place in the chain right after.

Events are inserted by their own transactions, so writers never wait for each other. Links are written by the sealer,
one at a time under a lock, in the order of the events' keys among those committed. Whoever finds the lock taken leaves
the work to its holder, to the next event or to the beat, which also looks at old events that committed late.
"""

from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.contrib.auth import get_user_model
from django.db import connection, models, transaction

from records import keys
from records.actor import Actor
from records.canonical import canonical_json
from records.chain import FIRST, event_sha256, link_sha256
from records.models import AuditEvent, AuditLink, Checkpoint

CHAIN_LOCK = 7_283_001
CHECKPOINT_EVERY = 100
CHECKPOINT_AFTER = timedelta(minutes=10)  # a quiet site's trail is closed by time
RECENT = 1000  # how far back the quick run looks, so that it never walks the whole trail


def record_event(
    *, action: str, subject: models.Model | None, by: Actor, old: dict[str, Any] | None = None,
    new: dict[str, Any] | None = None, reason: str = "",
) -> AuditEvent:  # fmt: skip
    """Write one event. Call it inside the transaction that makes the change; both are kept or neither is."""
    event = AuditEvent(
        at=database_now(), person_id=by.person_id, person_name=_name(by.person_id),
        organisation_id=by.organisation_id, owner_id=owner_of(subject), role=by.role, action=action,
        subject_kind=subject._meta.label_lower if subject is not None else "instance",
        subject_id=str(subject.pk) if subject is not None else "", subject_name=str(subject or "")[:200],
        old=_plain(old), new=_plain(new), reason=reason, request_id=by.request_id,
    )  # fmt: skip
    event.sha256 = event_sha256(event.content())
    event.save(force_insert=True)
    transaction.on_commit(partial(seal_events, wait=False))
    return event


def database_now() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        return cursor.fetchone()[0]  # type: ignore[no-any-return]


def _name(person_id: int | None) -> str:
    if person_id is None:
        return "the instance"
    return str(get_user_model()._default_manager.filter(pk=person_id).values_list("name", flat=True).first() or "")


def owner_of(subject: Any) -> int | None:
    """The organisation whose object ``subject`` is, as the object itself tells it; None for the instance's own."""
    if subject is None:
        return None
    if hasattr(subject, "organisations"):
        return next(iter(sorted(subject.organisations().get("owner", ()))), None)
    if isinstance(getattr(subject, "organisation_id", None), int):
        return int(subject.organisation_id)
    if subject._meta.label_lower == "accounts.organisation":
        return int(subject.pk)
    for above in ("deployment", "submission", "card", "model", "incident"):  # children belong to their parent's owner
        if isinstance(getattr(subject, above, None), models.Model):
            return owner_of(getattr(subject, above))
    return None


def _plain(values: dict[str, Any] | None) -> dict[str, Any] | None:
    """Through canonical JSON, so that what is stored and what is hashed are the same text."""
    import json

    return None if values is None else dict(json.loads(canonical_json(values)))


@transaction.atomic
def seal_events(*, wait: bool = True) -> int:
    """Give every committed event without a place its link; returns how many. Signs a checkpoint every 100 links."""
    with connection.cursor() as cursor:
        if wait:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [CHAIN_LOCK])
        else:
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [CHAIN_LOCK])
            if not cursor.fetchone()[0]:
                return 0
    last = AuditLink.objects.order_by("-position").first()
    position, previous = (last.position, last.sha256) if last else (0, FIRST)
    open_events = AuditEvent.objects.filter(link=None)
    if last and not wait:
        open_events = open_events.filter(pk__gt=last.event_id - RECENT)
    links = []
    for event in open_events.order_by("pk"):
        position += 1
        sha256 = link_sha256(previous=previous, position=position, event=event.sha256)
        links.append(AuditLink(position=position, event=event, previous=previous, sha256=sha256))
        previous = sha256
    AuditLink.objects.bulk_create(links, batch_size=1000)
    if links and position // CHECKPOINT_EVERY > (position - len(links)) // CHECKPOINT_EVERY:
        write_checkpoint(position=position, sha256=previous)
    return len(links)


def write_checkpoint(*, position: int, sha256: str) -> Checkpoint:
    at, key = database_now(), keys.key_id()
    signature = keys.seal(checkpoint_statement(position, sha256, at, key))
    checkpoint, _ = Checkpoint.objects.get_or_create(
        position=position, defaults={"sha256": sha256, "at": at, "key_id": key, "signature": signature}
    )
    return checkpoint


def checkpoint_now() -> Checkpoint | None:
    """Seal what is open and sign the chain's end; None while nothing has happened yet."""
    seal_events()
    last = AuditLink.objects.order_by("-position").first()
    return write_checkpoint(position=last.position, sha256=last.sha256) if last else None


def checkpoint_when_old(*, after: timedelta = CHECKPOINT_AFTER) -> Checkpoint | None:
    """Sign the chain's end when the last checkpoint is older than ``after`` and something came since."""
    last, link = Checkpoint.objects.last(), AuditLink.objects.order_by("-position").first()
    if link is None or (last and (last.position == link.position or database_now() - last.at < after)):
        return None
    return write_checkpoint(position=link.position, sha256=link.sha256)


def checkpoint_statement(position: int, sha256: str, at: datetime, key_id: str) -> dict[str, object]:
    return {"position": position, "sha256": sha256, "at": at, "key_id": key_id}
