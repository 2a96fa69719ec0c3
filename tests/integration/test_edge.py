"""The edge: rates of the API, log lines without patients, request ids, headers, the production profile."""

import json
import logging
import os
import subprocess
import sys

import pytest
import redis
from django.core.cache import cache
from django.db import DatabaseError, IntegrityError
from django.test import RequestFactory

from accounts.models import Role
from accounts.rate_limits import RateLimitMiddleware, spent
from accounts.tokens import issue_token
from config.logs import REQUEST_ID, JsonFormatter
from tests.factories import DeploymentFactory, MembershipFactory


@pytest.fixture(autouse=True)
def fresh_counts():
    cache.clear()


def call(client, deployment, secret):
    return client.get(f"/api/v1/deployments/{deployment.pk}/findings", headers={"Authorization": f"Bearer {secret}"})


@pytest.mark.django_db
def test_one_token_uses_up_its_own_allowance_and_nobody_elses(client, settings):
    settings.API_PER_MINUTE = 3
    deployment = DeploymentFactory()
    lead = MembershipFactory(organisation=deployment.organisation, role=Role.HOSPITAL_QA).person
    one, two = (
        issue_token(organisation=deployment.organisation, person=lead, name=name, verbs=["see"])[1] for name in "ab"
    )
    assert [call(client, deployment, one).status_code for _ in range(4)] == [200, 200, 200, 429]
    refused = call(client, deployment, one)
    assert refused.json()["code"] == "too_many_requests"
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert call(client, deployment, two).status_code == 200


@pytest.mark.django_db
def test_guessing_tokens_from_one_address_is_stopped(client, settings):
    settings.API_FAILURES_PER_MINUTE = 3
    deployment = DeploymentFactory()
    answers = [call(client, deployment, f"vgl_guess{number}").status_code for number in range(5)]
    assert answers == [401, 401, 401, 429, 429]


def test_a_new_minute_brings_a_new_allowance():
    assert [spent("x", 2, now=0.0), spent("x", 2, now=30.0)] == [0, 0]
    assert spent("x", 2, now=45.5) == 14
    assert spent("x", 2, now=60.0) == 0


def test_without_a_cache_people_go_on_working(monkeypatch, caplog):
    def away(*_: object, **__: object) -> None:
        raise redis.ConnectionError

    monkeypatch.setattr("accounts.rate_limits.cache.add", away)
    monkeypatch.setattr("accounts.rate_limits.cache.get", away)
    from django.http import HttpResponse

    answer = RateLimitMiddleware(lambda request: HttpResponse("ok"))(RequestFactory().get("/api/v1/x"))
    assert answer.status_code == 200
    assert "rates are not limited" in caplog.text


def line_of(record: logging.LogRecord) -> dict:
    return json.loads(JsonFormatter().format(record))


def record_with(error: Exception | None = None, **more: object) -> logging.LogRecord:
    record = logging.LogRecord("vigil", logging.ERROR, "x.py", 1, "it failed", (), None)
    if error is not None:
        try:
            raise error
        except type(error) as raised:
            record.exc_info = (type(raised), raised, raised.__traceback__)
    for name, value in more.items():
        setattr(record, name, value)
    return record


def test_a_log_line_is_json_with_the_requests_id():
    marker = REQUEST_ID.set("abcdef0123")
    try:
        line = line_of(record_with(route="/cases/<case>", status=200))
    finally:
        REQUEST_ID.reset(marker)
    assert (line["request_id"], line["level"], line["route"], line["status"]) == (
        "abcdef0123", "ERROR", "/cases/<case>", 200,
    )  # fmt: skip
    assert line["time"].endswith("+00:00")


@pytest.mark.parametrize("error", [
    IntegrityError('duplicate key value violates "one_label"\nDETAIL:  Key (case)=(PAT-4711) already exists.'),
    DatabaseError('invalid input syntax for type double: "PAT-4711"'),
])  # fmt: skip
def test_a_databases_complaint_does_not_carry_the_row_into_the_log(error):
    line = line_of(record_with(error))
    assert "PAT-4711" not in json.dumps(line)
    assert line["exception"]["type"] == type(error).__name__
    assert any("test_edge.py" in place for place in line["exception"]["at"])


@pytest.mark.django_db
def test_an_unknown_address_is_logged_by_its_route_and_not_by_its_text(client, caplog):
    with caplog.at_level(logging.WARNING, logger="django.request"):
        client.get("/cases/PAT-4711")
    lines = [JsonFormatter().format(record) for record in caplog.records]
    assert lines
    assert not any("PAT-4711" in line for line in lines)


@pytest.mark.django_db
@pytest.mark.parametrize(("given", "kept"), [("deploy-2026-11-24", True), ("x" * 200, False), ("a\nb-forged", False)])
def test_the_answer_names_the_request(client, given, kept):
    answer = client.get("/healthz", headers={"X-Request-Id": given})
    assert (answer.headers["X-Request-Id"] == given) is kept


@pytest.mark.django_db
def test_a_form_without_its_csrf_token_is_refused():
    from django.test import Client

    strict = Client(enforce_csrf_checks=True)
    assert strict.post("/account/login/", {"login": "a@b.example", "password": "x"}).status_code == 403


def production(**environment: str) -> dict:
    """The settings of an instance behind TLS, read by a fresh process."""
    code = (
        "import json; from config import settings as s; names = ('SESSION_COOKIE_SECURE CSRF_COOKIE_SECURE "
        "SECURE_HSTS_SECONDS SECURE_SSL_REDIRECT DEBUG ALLAUTH_TRUSTED_PROXY_COUNT SOCIALACCOUNT_PROVIDERS').split();"
        "print(json.dumps({name: getattr(s, name) for name in names} | {'key': len(s.SECRET_KEY)}))"
    )
    environment = {**os.environ, "VIGIL_BASE_URL": "https://vigil.hospital.example", **environment}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout))


def test_behind_tls_cookies_are_secure_and_the_browser_is_told_to_stay():
    found = production(VIGIL_BEHIND_PROXY="1")
    assert found["SESSION_COOKIE_SECURE"] is found["CSRF_COOKIE_SECURE"] is found["SECURE_SSL_REDIRECT"] is True
    assert found["SECURE_HSTS_SECONDS"] >= 31_536_000
    assert found["DEBUG"] is False
    assert found["key"] >= 50
    assert found["ALLAUTH_TRUSTED_PROXY_COUNT"] == 1


def test_an_identity_provider_is_there_when_it_is_configured_and_only_then():
    assert production()["SOCIALACCOUNT_PROVIDERS"]["openid_connect"]["APPS"] == []
    configured = production(VIGIL_OIDC_ISSUER="https://id.hospital.example", VIGIL_OIDC_CLIENT_ID="vigil")
    app = configured["SOCIALACCOUNT_PROVIDERS"]["openid_connect"]["APPS"][0]
    assert (app["client_id"], app["settings"]["server_url"]) == ("vigil", "https://id.hospital.example")
