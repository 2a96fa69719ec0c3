"""People: one identity each, their profile, and the second factor they sign with."""

from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp
from django.contrib.auth.password_validation import validate_password
from django.db import transaction

from accounts.models import Person
from records.actor import Actor
from records.services import record_event


@transaction.atomic
def add_person(*, email: str, name: str, by: Actor, password: str | None = None, time_zone: str = "UTC") -> Person:
    """Make one identity. Without ``password`` nobody can sign in until a one-time link was used.

    Raises
    ------
    ValidationError
        The address is taken or no address, the name is empty, the zone unknown or the password too weak.
    """
    person = Person(email=email.strip().lower(), name=name.strip(), time_zone=time_zone)
    if password is None:
        person.set_unusable_password()
    else:
        validate_password(password, person)
        person.set_password(password)
    person.full_clean()
    person.save(force_insert=True)
    record_event(
        action="person.add", subject=person, by=by,
        new={"email": person.email, "name": person.name, "time_zone": time_zone, "has_password": password is not None},
    )  # fmt: skip
    return person


@transaction.atomic
def change_profile(person: Person, *, time_zone: str, by: Actor) -> Person:
    """The printed name stays as the administrator entered it: it stands under signatures."""
    old = person.time_zone
    person.time_zone = time_zone
    person.full_clean()
    person.save(update_fields=("time_zone",))
    record_event(action="person.change", subject=person, by=by, old={"time_zone": old}, new={"time_zone": time_zone})
    return person


@transaction.atomic
def set_active(person: Person, *, active: bool, reason: str, by: Actor) -> Person:
    """Close or reopen an identity. It is never deleted: its name stands in the trail and under signatures."""
    old = person.is_active
    person.is_active = active
    person.save(update_fields=("is_active",))
    record_event(
        action="person.reopen" if active else "person.close", subject=person, by=by, old={"active": old},
        new={"active": active}, reason=reason,
    )  # fmt: skip
    return person


@transaction.atomic
def enrol_totp(person: Person, *, by: Actor | None = None) -> str:
    """Give ``person`` a new one-time-code secret and return it; the old one ends. Pages let people do it."""
    by = by or Actor(person_id=person.pk, organisation_id=None, role="self")
    Authenticator.objects.filter(user=person, type=Authenticator.Type.TOTP).delete()
    secret = totp.generate_totp_secret()
    totp.TOTP.activate(person, secret)
    record_event(action="person.totp_enrol", subject=person, by=by)
    return str(secret)


@transaction.atomic
def record_password_change(person: Person, *, by: Actor) -> None:
    record_event(action="person.password_change", subject=person, by=by)
