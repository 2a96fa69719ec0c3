"""Signatures: bound to content, person, password and code; each code works once."""

import threading
from zoneinfo import ZoneInfo

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp
from django.core.cache import cache
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import connection
from django.template.loader import render_to_string

from accounts.models import Person, Role
from accounts.signing import sign, signatures_of
from records import keys
from records.models import AuditEvent, Signature
from tests.factories import DeploymentFactory, MembershipFactory, OrganisationFactory

PASSWORD = "a long enough phrase"


@pytest.fixture(autouse=True)
def clean(tmp_path, settings):
    settings.KEY_DIR = tmp_path / "keys"
    cache.clear()


@pytest.fixture
def signer(db):
    membership = MembershipFactory(role=Role.HOSPITAL_SIGNATORY)
    person = membership.person
    person.set_password(PASSWORD)
    person.save()
    secret = totp.generate_totp_secret()
    totp.TOTP.activate(person, secret)
    person.deployment = DeploymentFactory(organisation=membership.organisation)
    person.code = lambda: totp.format_hotp_value(totp.hotp_value(secret, next(totp.yield_hotp_counters_from_time())))
    return person


def give(person, **changes):
    terms = {
        "content_sha256": "a" * 64,
        "meaning": "approved",
        "person": person,
        "password": PASSWORD,
        "code": person.code(),
    }
    return sign(person.deployment, **(terms | changes))


def test_a_signature_shows_name_time_zone_and_meaning_and_its_seal_holds(signer):
    signature = give(signer, time_zone="Europe/Berlin")
    assert (signature.printed_name, signature.meaning, signature.time_zone) == (
        signer.name,
        "approved",
        "Europe/Berlin",
    )
    signature.refresh_from_db()
    assert keys.seal_holds(signature.statement(), signature.seal)
    changed = signature.statement() | {"meaning": "rejected"}
    assert not keys.seal_holds(changed, signature.seal)


def test_one_changed_byte_and_the_signature_no_longer_covers(signer):
    give(signer)
    assert signatures_of(signer.deployment, content_sha256="a" * 64)[0][1] is True
    assert signatures_of(signer.deployment, content_sha256="a" * 63 + "b")[0][1] is False


@pytest.mark.parametrize("changes", [{"password": "wrong"}, {"code": "000000"}, {"code": ""}])
def test_a_wrong_password_or_code_is_refused(signer, changes):
    with pytest.raises(ValidationError, match="is wrong"):
        give(signer, **changes)


def test_a_code_works_once(signer):
    code = signer.code()
    give(signer, code=code)
    with pytest.raises(ValidationError, match="used before"):
        give(signer, code=code)


def test_five_failures_lock_and_each_is_on_record(signer):
    for _ in range(5):
        with pytest.raises(ValidationError):
            give(signer, password="wrong")
    refused = AuditEvent.objects.filter(action="signature.refused", person_id=signer.pk)
    assert [event.new["failures"] for event in refused] == [1, 2, 3, 4, 5]
    with pytest.raises(ValidationError, match="wait a quarter"):
        give(signer)


def test_who_had_an_earlier_part_may_not_sign(signer):
    with pytest.raises(PermissionDenied, match="another person has to sign"):
        give(signer, not_by=[signer.pk])


def test_without_one_time_codes_there_is_no_signing(signer):
    Authenticator.objects.filter(user=signer).delete()
    with pytest.raises(ValidationError, match="set them up"):
        give(signer)


@pytest.mark.parametrize(("role", "kind"), [
    (Role.AUDITOR, "hospital"), (Role.PLATFORM_ADMIN, "operator"), (Role.PLATFORM_ADMIN, "hospital"),
    (Role.HOSPITAL_QA, "hospital"), (Role.REGULATOR_OBSERVER, "regulator"), (Role.HOSPITAL_SIGNATORY, "stranger"),
])  # fmt: skip
def test_who_has_no_right_to_sign_cannot_even_with_both_secrets(signer, role, kind):
    own = signer.deployment.organisation
    organisation = own if kind == "hospital" else OrganisationFactory(kind="hospital" if kind == "stranger" else kind)
    person = MembershipFactory(organisation=organisation, role=role).person
    person.set_password(PASSWORD)
    person.save()
    secret = totp.generate_totp_secret()
    totp.TOTP.activate(person, secret)
    code = totp.format_hotp_value(totp.hotp_value(secret, next(totp.yield_hotp_counters_from_time())))
    with pytest.raises(PermissionDenied):
        sign(
            signer.deployment, content_sha256="a" * 64, meaning="approval", person=person, password=PASSWORD, code=code
        )
    assert not Signature.objects.exists()


def test_a_signature_shows_in_the_signers_zone(signer):
    signature = give(signer, time_zone="Asia/Tokyo")
    page = render_to_string("accounts/_signatures.html", {"signatures": [(signature, False)]})
    shown = signature.signed_at.astimezone(ZoneInfo("Asia/Tokyo")).strftime("%Y-%m-%d %H:%M:%S JST")
    assert shown in page
    assert "no longer covers" in page
    assert signer.name in page


@pytest.mark.django_db(transaction=True)
def test_one_code_signs_once_when_two_requests_come_together(tmp_path, settings):
    settings.KEY_DIR = tmp_path / "keys"
    membership = MembershipFactory(role=Role.HOSPITAL_SIGNATORY)
    person, deployment = membership.person, DeploymentFactory(organisation=membership.organisation)
    person.set_password(PASSWORD)
    person.save()
    secret = totp.generate_totp_secret()
    totp.TOTP.activate(person, secret)
    code = totp.format_hotp_value(totp.hotp_value(secret, next(totp.yield_hotp_counters_from_time())))

    def attempt() -> None:
        try:
            sign(
                deployment, content_sha256="a" * 64, meaning="approval", password=PASSWORD, code=code,
                person=Person.objects.get(pk=person.pk),
            )  # fmt: skip
        except ValidationError:
            pass
        finally:
            connection.close()

    attempts = [threading.Thread(target=attempt) for _ in range(4)]
    for one in attempts:
        one.start()
    for one in attempts:
        one.join()
    assert Signature.objects.count() == 1
