"""Electronic signatures: password and one-time code at each signing, bound to the exact content."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from zoneinfo import ZoneInfo

from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP
from django.core.cache import cache
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import models, transaction

from accounts.models import Person
from accounts.permissions import Action, require
from records import keys
from records.actor import Actor
from records.models import Signature
from records.services import database_now, record_event

FAILURES_ALLOWED = 5
FAILURE_MEMORY_S = 900


def has_totp(person: Person) -> bool:
    return Authenticator.objects.filter(user=person, type=Authenticator.Type.TOTP).exists()


def sign(
    subject: models.Model, *, content_sha256: str, meaning: str, person: Person, password: str, code: str,
    time_zone: str = "UTC", request_id: str = "", not_by: Iterable[int] = (),
) -> Signature:  # fmt: skip
    """Sign ``content_sha256`` of ``subject`` with a stated meaning.

    ``not_by`` holds the ids of people whose earlier part rules them out (the author may not approve, the assessor not
    decide alone).

    Raises
    ------
    PermissionDenied
        The person's role may not sign, or separation of duties forbids it.
    ValidationError
        Password or code is wrong, the code was used before, none is set up, or too many tries failed.
    """
    by = require(person, Action.SIGN, subject, request_id=request_id)
    if person.pk in set(not_by):
        raise PermissionDenied(f"{person.name} had an earlier part in this: another person has to sign as {meaning}")
    _authenticate(person, password, code, subject=subject, by=by)
    with transaction.atomic():
        signature = Signature(
            subject_kind=subject._meta.label_lower, subject_id=str(subject.pk), subject_name=str(subject)[:200],
            content_sha256=content_sha256, person_id=person.pk, printed_name=person.name,
            organisation_id=by.organisation_id, role=by.role, meaning=meaning,
            signed_at=database_now().astimezone(ZoneInfo("UTC")), time_zone=str(ZoneInfo(time_zone)),
            key_id=keys.key_id(),
        )  # fmt: skip
        signature.seal = keys.seal(signature.statement())
        signature.save(force_insert=True)
        record_event(
            action="signature.give", subject=subject, by=by, reason=meaning,
            new={"content_sha256": content_sha256, "meaning": meaning, "signature": signature.pk},
        )  # fmt: skip
    return signature


def _authenticate(person: Person, password: str, code: str, *, subject: models.Model, by: Actor) -> None:
    """Both components, every time. A refused try is on record; the fifth closes signing for a quarter of an hour."""
    failures = f"signing-failures:{person.pk}"
    if cache.get(failures, 0) >= FAILURES_ALLOWED:
        raise ValidationError("Too many failed tries: wait a quarter of an hour.", code="locked")
    authenticator = Authenticator.objects.filter(user=person, type=Authenticator.Type.TOTP).first()
    if authenticator is None:
        raise ValidationError("Signing needs one-time codes: set them up in your profile.", code="no_totp")
    with _one_try_at_a_time(person):
        good = person.check_password(password) and TOTP(authenticator).validate_code(code)
    if not good:
        cache.add(failures, 0, FAILURE_MEMORY_S)
        count = cache.incr(failures)
        record_event(
            action="signature.refused", subject=subject, by=by, new={"failures": count, "allowed": FAILURES_ALLOWED}
        )
        raise ValidationError(
            "The password or the one-time code is wrong, or the code was used before.", code="refused"
        )
    cache.delete(failures)


@contextmanager
def _one_try_at_a_time(person: Person) -> Iterator[None]:
    """Two requests with the same code must not both find it unused."""
    with transaction.atomic():
        Person.objects.select_for_update().filter(pk=person.pk).first()
        yield


def signatures_of(subject: models.Model, *, content_sha256: str | None = None) -> list[tuple[Signature, bool | None]]:
    """Signatures on ``subject``; with ``content_sha256`` each says whether it still covers the content."""
    found = Signature.objects.filter(subject_kind=subject._meta.label_lower, subject_id=str(subject.pk))
    return [(one, None if content_sha256 is None else one.covers(content_sha256)) for one in found]
