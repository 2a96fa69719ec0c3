"""One-time links: how a new person chooses a password, and how a lost one is replaced."""

import secrets
from datetime import timedelta

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from accounts.models import OneTimeLink, Person
from accounts.services.four_eyes import refuse_second_key
from accounts.tokens import token_hash
from records.actor import Actor
from records.services import record_event

VALID_FOR = {"invite": timedelta(days=7), "reset": timedelta(hours=24)}


@transaction.atomic
def make_link(person: Person, *, by: Actor, purpose: str = "invite") -> tuple[OneTimeLink, str]:
    """A link and its secret, which is shown once; earlier links of the person end."""
    if purpose == OneTimeLink.Purpose.RESET:
        refuse_second_key(person, by=by, other="person.second_factor_reset")
    now = timezone.now()
    OneTimeLink.objects.filter(person=person, used_at=None, expires_at__gt=now).update(expires_at=now)
    secret = secrets.token_urlsafe(32)
    link = OneTimeLink.objects.create(
        person=person, purpose=purpose, secret_sha256=token_hash(secret), made_by_id=by.person_id,
        expires_at=now + VALID_FOR[purpose],
    )  # fmt: skip
    record_event(
        action=f"person.{purpose}", subject=person, by=by, new={"email": person.email, "expires_at": link.expires_at}
    )
    return link, secret


def find_link(secret: str) -> OneTimeLink | None:
    found = OneTimeLink.objects.filter(secret_sha256=token_hash(secret)).select_related("person").first()
    return found if found and found.valid and found.person.is_active else None


@transaction.atomic
def redeem_link(secret: str, *, password: str, request_id: str = "") -> Person:
    """Set the password of the link's person; a second use, a late one or a weak password is a ``ValidationError``."""
    found = OneTimeLink.objects.select_for_update().filter(secret_sha256=token_hash(secret)).first()
    if found is None or not found.valid or not found.person.is_active:
        raise ValidationError("This link was used, has expired or was replaced: ask for a new one.", code="link_over")
    person = found.person
    validate_password(password, person)
    person.set_password(password)
    person.save(update_fields=("password",))
    found.used_at = timezone.now()
    found.save(update_fields=("used_at",))
    by = Actor(person_id=person.pk, organisation_id=None, role="self", request_id=request_id)
    record_event(action="person.password_set", subject=person, by=by, new={"by": found.purpose})
    return person
