"""The sign-in: password, forced second factor, lock-out, sessions that end, one-time links, an identity provider."""

import re
import time

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp
from django.core.cache import cache

from accounts import services
from accounts.models import Role
from records.actor import SYSTEM
from records.models import AuditEvent
from tests.factories import MembershipFactory

pytestmark = pytest.mark.django_db
LONG = "four plain words together"


@pytest.fixture(autouse=True)
def as_in_production(settings):
    settings.SECOND_FACTOR_REQUIRED = True
    cache.clear()


def person_of(role, **more):
    person = MembershipFactory(role=role, **more).person
    person.set_password(LONG)
    person.save()
    return person


def sign_in(client, person, password=LONG, **more):
    return client.post("/account/login/", {"login": person.email, "password": password, **more})


def code_of(secret: str) -> str:
    return totp.format_hotp_value(totp.hotp_value(secret, next(totp.yield_hotp_counters_from_time())))


def test_a_reader_signs_in_with_a_password_and_it_is_on_record(client):
    reader = person_of(Role.HOSPITAL_READER)
    assert sign_in(client, reader).headers["Location"] == "/"
    assert client.get("/profile").status_code == 200
    assert AuditEvent.objects.filter(action="person.sign_in", person_id=reader.pk).count() == 1


def test_who_may_sign_sets_up_codes_before_anything_else(client):
    signer = person_of(Role.HOSPITAL_SIGNATORY)
    sign_in(client, signer)
    for address in ("/", "/profile", "/audit", "/account/2fa/", "/account/password/change/"):
        assert client.get(address).headers["Location"].startswith("/account/2fa/totp/activate/")
    page = client.get("/account/2fa/totp/activate/").content.decode()
    assert "data:image/svg+xml" in page
    secret = re.search(r"<code>([A-Z2-7]{16,})</code>", page)[1]
    assert client.post("/account/2fa/totp/activate/", {"code": "000000"}).status_code == 200
    assert client.get("/profile").status_code == 302
    assert client.post("/account/2fa/totp/activate/", {"code": code_of(secret)}).status_code == 302
    assert client.get("/profile").status_code == 200
    assert "person.second_factor" in AuditEvent.objects.values_list("action", flat=True)
    stored = Authenticator.objects.get(user=signer, type="totp").data["secret"]
    assert secret not in stored  # encrypted at rest


def test_the_next_sign_in_asks_for_a_code_and_each_works_once(client):
    signer = person_of(Role.HOSPITAL_SIGNATORY)
    secret = services.enrol_totp(signer)
    assert sign_in(client, signer).headers["Location"].startswith("/account/2fa/authenticate/")
    assert client.get("/profile").status_code == 302
    assert client.post("/account/2fa/authenticate/", {"code": "000000"}).status_code == 200
    assert client.post("/account/2fa/authenticate/", {"code": code_of(secret)}).status_code == 302
    assert client.get("/profile").status_code == 200


def test_who_may_sign_cannot_switch_the_codes_off(client):
    signer = person_of(Role.HOSPITAL_SIGNATORY)
    secret = services.enrol_totp(signer)
    sign_in(client, signer)
    client.post("/account/2fa/authenticate/", {"code": code_of(secret)})
    client.post("/account/2fa/totp/deactivate/")
    assert Authenticator.objects.filter(user=signer, type="totp").exists()


def test_five_wrong_passwords_lock_the_account_for_minutes(client):
    reader = person_of(Role.HOSPITAL_READER)
    for _ in range(5):
        assert "not correct" in sign_in(client, reader, "wrong").content.decode()
    assert "Too many failed login attempts" in sign_in(client, reader).content.decode()
    assert client.get("/profile").status_code == 302
    assert AuditEvent.objects.filter(action="person.sign_in_failed", subject_id=str(reader.pk)).count() == 5


def test_many_posts_from_one_address_get_429_with_a_time(client, settings):
    settings.SIGN_IN_PER_MINUTE = 3
    reader = person_of(Role.HOSPITAL_READER)
    for _ in range(3):
        assert sign_in(client, reader, "wrong").status_code == 200
    answer = sign_in(client, reader)
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["Retry-After"]) <= 60


@pytest.mark.parametrize(("setting", "value"), [("SESSION_COOKIE_AGE", 1), ("SESSION_IDLE_S", 1)])
def test_a_session_ends_by_age_and_by_idleness(client, settings, monkeypatch, setting, value):
    reader = person_of(Role.HOSPITAL_READER)
    sign_in(client, reader)
    assert client.get("/profile").status_code == 200
    later = time.time() + 120
    monkeypatch.setattr("accounts.sessions.time.time", lambda: later)
    assert client.get("/profile").status_code == 200
    setattr(settings, setting, value)
    monkeypatch.setattr("accounts.sessions.time.time", lambda: later + 120)
    assert client.get("/profile").status_code == 302


def test_a_page_that_refreshes_itself_keeps_no_session_alive(client, settings, monkeypatch):
    settings.SESSION_IDLE_S = 300
    sign_in(client, person_of(Role.HOSPITAL_READER))
    client.get("/profile")
    start = time.time()
    for minutes in (2, 4, 6):
        monkeypatch.setattr("accounts.sessions.time.time", lambda: start + 60 * minutes)  # noqa: B023
        answer = client.get("/profile", headers={"HX-Request": "true"})
    assert answer.status_code == 302


def test_a_closed_account_is_out_at_once(client):
    reader = person_of(Role.HOSPITAL_READER)
    sign_in(client, reader)
    services.set_active(reader, active=False, reason="left", by=SYSTEM)
    assert client.get("/profile").status_code == 302
    assert sign_in(client, reader).status_code in (200, 302)
    assert client.get("/profile").status_code == 302


def test_an_invitation_opens_once_and_looking_does_not_use_it(client):
    person = services.add_person(email="new@hospital.example", name="New Reader", by=SYSTEM)
    _, secret = services.make_link(person, by=SYSTEM)
    address = f"/invitation/{secret}"
    assert client.get(address).status_code == client.get(address).status_code == 200
    assert "differ" in client.post(address, {"password": LONG, "again": "other"}).content.decode()
    assert "too common" in client.post(address, {"password": "password1234", "again": "password1234"}).content.decode()
    assert "Your password is saved" in client.post(address, {"password": LONG, "again": LONG}).content.decode()
    assert client.get(address).status_code == 410
    assert sign_in(client, person).status_code == 302


@pytest.mark.parametrize("address", ["/account/signup/", "/account/help/", "/invitation/unknown"])
def test_nobody_signs_up_by_themselves(client, address):
    page = client.get(address)
    assert "administrator of your organisation" in page.content.decode()
    assert 'name="password1"' not in page.content.decode()


def test_every_page_of_the_gate_has_no_inline_script_and_the_policy_forbids_it(client):
    answer = client.get("/account/login/")
    assert "script-src 'self'" in answer.headers["Content-Security-Policy"]
    assert "unsafe-inline" not in re.search(r"script-src[^;]*", answer.headers["Content-Security-Policy"])[0]
    assert not re.search(r"<script(?![^>]*\bsrc=)", answer.content.decode())
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"
