"""Signing in through a hospital's OpenID Connect provider, against a small provider that runs in the test."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse

import pytest

from accounts.models import Person, Role
from records.models import AuditEvent
from tests.factories import MembershipFactory

pytestmark = pytest.mark.django_db


class Provider(BaseHTTPRequestHandler):
    """Discovery, token and user information: what the sign-in asks a provider for."""

    facts: dict[str, object] = {}
    verifiers: list[str] = []

    def do_GET(self) -> None:
        base = f"http://127.0.0.1:{self.server.server_address[1]}"
        if self.path.endswith("openid-configuration"):
            self.reply({
                "issuer": base, "authorization_endpoint": f"{base}/authorize", "token_endpoint": f"{base}/token",
                "userinfo_endpoint": f"{base}/userinfo", "jwks_uri": f"{base}/keys",
                "token_endpoint_auth_methods_supported": ["client_secret_post"],
            })  # fmt: skip
        else:
            self.reply(self.facts)

    def do_POST(self) -> None:
        body = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.verifiers.extend(body.get("code_verifier", []))
        self.reply({"access_token": "t", "token_type": "Bearer"})

    def reply(self, content: object) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(content).encode())

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def provider(settings) -> Iterator[type[Provider]]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Provider)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    app = {
        "provider_id": "oidc", "name": "Hospital sign-in", "client_id": "vigil", "secret": "s",
        "settings": {"server_url": f"http://127.0.0.1:{server.server_address[1]}", "oauth_pkce_enabled": True},
    }  # fmt: skip
    settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"APPS": [app]}}
    Provider.verifiers.clear()
    yield Provider
    server.shutdown()


def come_back(client, **facts):
    """From the button on the sign-in page to the provider and back with a code."""
    Provider.facts = facts
    assert "Hospital sign-in" in client.get("/account/login/").content.decode()
    leave = client.post("/account/oidc/oidc/login/")
    query = parse_qs(urlparse(leave.headers["Location"]).query)
    assert query["code_challenge_method"] == ["S256"]
    return client.get("/account/oidc/oidc/login/callback/", {"code": "c", "state": query["state"][0]})


def test_a_known_verified_address_is_signed_in_and_it_is_on_record(client, provider):
    person = MembershipFactory(role=Role.HOSPITAL_READER).person
    come_back(client, sub="1", email=person.email, email_verified=True)
    assert client.get("/profile").status_code == 200
    assert AuditEvent.objects.filter(action="person.sign_in", person_id=person.pk).exists()
    assert Provider.verifiers


@pytest.mark.parametrize("facts", [
    {"sub": "2", "email": "stranger@elsewhere.example", "email_verified": True},
    {"sub": "3", "email": "known@hospital.example", "email_verified": False}, {"sub": "4"},
])  # fmt: skip
def test_an_unknown_or_unverified_address_opens_and_makes_nothing(client, provider, facts):
    MembershipFactory(person__email="known@hospital.example")
    come_back(client, **facts)
    assert client.get("/profile").status_code == 302
    assert Person.objects.count() == 1


def test_a_signer_still_needs_a_code_of_their_own(client, provider, settings):
    settings.SECOND_FACTOR_REQUIRED = True
    person = MembershipFactory(role=Role.HOSPITAL_SIGNATORY).person
    come_back(client, sub="5", email=person.email, email_verified=True)
    assert client.get("/profile").headers["Location"].startswith("/account/2fa/totp/activate/")


def test_an_answer_to_a_question_that_was_not_asked_opens_nothing(client, provider):
    person = MembershipFactory(role=Role.HOSPITAL_READER).person
    Provider.facts = {"sub": "6", "email": person.email, "email_verified": True}
    client.get("/account/oidc/oidc/login/callback/", {"code": "c", "state": "forged"})
    assert client.get("/profile").status_code == 302
