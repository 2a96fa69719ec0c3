"""People: one identity each, their profile, and the second factor they sign with."""

from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import transaction

from accounts.models import Person, known_time_zone
from accounts.services.four_eyes import refuse_second_key
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
    known_time_zone(time_zone)
    person.time_zone = time_zone
    person.save(update_fields=("time_zone",))
    record_event(action="person.change", subject=person, by=by, old={"time_zone": old}, new={"time_zone": time_zone})
    return person


@transaction.atomic
def set_active(person: Person, *, active: bool, reason: str, by: Actor) -> Person:
    """Close or reopen an identity. It is never deleted: its name stands in the trail and under signatures."""
    if not reason.strip():
        raise ValidationError("reason is empty: say why the account is closed or opened again")
    old = person.is_active
    person.is_active = active
    person.save(update_fields=("is_active",))
    record_event(
        action="person.reopen" if active else "person.close", subject=person, by=by, old={"active": old},
        new={"active": active}, reason=reason,
    )  # fmt: skip
    return person


@transaction.atomic
def enrol_totp(person: Person) -> str:
    """Give ``person`` a new one-time-code secret and return it; the old one ends. Pages let people do it."""
    Authenticator.objects.filter(user=person, type=Authenticator.Type.TOTP).delete()
    secret = totp.generate_totp_secret()
    totp.TOTP.activate(person, secret)
    return str(secret)


@transaction.atomic
def reset_second_factor(person: Person, *, reason: str, by: Actor) -> None:
    """Take a lost device's codes away; the next sign-in of a signer starts with a new set-up."""
    if not reason.strip():
        raise ValidationError("reason is empty: say how you know that it is this person who asks")
    refuse_second_key(person, by=by, other="person.reset")
    Authenticator.objects.filter(user=person).delete()
    record_event(action="person.second_factor_reset", subject=person, by=by, reason=reason.strip())
