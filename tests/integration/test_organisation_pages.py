"""The organisation's page: invitations by one-time link, roles, sites, tokens shown once."""

import re

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client

from accounts import services
from accounts.models import ApiToken, Membership, Organisation, Person, Role
from accounts.tokens import token_hash
from records.actor import SYSTEM
from records.models import AuditEvent
from tests.factories import DeploymentFactory, MembershipFactory, OrganisationFactory, PersonFactory

pytestmark = pytest.mark.django_db
LONG = "four plain words together"


@pytest.fixture
def clinic():
    return OrganisationFactory(slug="clinic", name="Clinic")


@pytest.fixture
def admin(client, clinic):
    person = MembershipFactory(organisation=clinic, role=Role.PLATFORM_ADMIN).person
    client.force_login(person)
    return person


def invite(client, **changes):
    values = {"email": "new@clinic.example", "name": "New Lead", "role": "hospital_qa", "site": "", "ends_at": ""}
    return client.post("/organisations/clinic/roles", values | changes)


def test_an_invitation_is_shown_once_and_leads_to_a_password(client, clinic, admin):
    answer = invite(client)
    address = re.search(r"http://[^<\s]+(/invitation/[\w-]+)", answer.content.decode())[1]
    assert answer.headers["Cache-Control"] == "no-store"
    assert address not in client.get("/organisations/clinic").content.decode()
    client.logout()
    client.post(address, {"password": LONG, "again": LONG})
    assert Person.objects.get(email="new@clinic.example").check_password(LONG)
    given = AuditEvent.objects.get(action="role.grant")
    assert (given.person_id, given.new["role"]) == (admin.pk, "hospital_qa")


@pytest.mark.parametrize(("changes", "says"), [
    ({"name": ""}, "give the printed name"), ({"role": "regulator_decider"}, "Select a valid choice"),
    ({"email": "nothing"}, "valid email"), ({"ends_at": "2020-01-01"}, "is not after"),
])  # fmt: skip
def test_a_wrong_invitation_says_why_and_makes_nobody(client, clinic, admin, changes, says):
    answer = invite(client, **changes)
    assert (answer.status_code, says in answer.content.decode()) == (422, True)
    assert Person.objects.filter(email="new@clinic.example").count() == 0


def test_a_known_person_gets_the_role_at_once_and_loses_it_with_a_reason(client, clinic, admin):
    PersonFactory(email="new@clinic.example")
    assert invite(client).status_code == 302
    membership = Membership.objects.get(person__email="new@clinic.example")
    address = f"/organisations/clinic/roles/{membership.pk}/end"
    client.post(address, {"reason": " "})
    assert Membership.objects.current().filter(pk=membership.pk).exists()
    client.post(address, {"reason": "moved on"})
    assert not Membership.objects.current().filter(pk=membership.pk).exists()
    assert AuditEvent.objects.get(action="role.end").reason == "moved on"


@pytest.mark.parametrize(("role", "status"), [
    (Role.HOSPITAL_QA, 403), (Role.AUDITOR, 403), (Role.HOSPITAL_SIGNATORY, 403), (None, 404),
])  # fmt: skip
def test_only_an_administrator_changes_people(client, clinic, role, status):
    organisation = clinic if role else OrganisationFactory()
    client.force_login(MembershipFactory(organisation=organisation, role=role or Role.PLATFORM_ADMIN).person)
    assert invite(client).status_code == status
    assert client.get("/organisations/clinic").status_code == (200 if role else 404)
    assert (
        client.post("/organisations/clinic/sites", {"code": "x", "name": "X", "time_zone": "UTC"}).status_code == status
    )
    assert not Person.objects.filter(email="new@clinic.example").exists()


def test_a_site_needs_a_known_zone_and_a_free_code(client, clinic, admin):
    def add(**values):
        return client.post("/organisations/clinic/sites", {"code": "main", "name": "Main", "time_zone": "UTC"} | values)

    assert "is not known" in add(time_zone="Mars/Base").content.decode()
    assert add().status_code == 302
    assert add().status_code == 422
    assert clinic.sites.count() == 1


def test_one_administrator_cannot_replace_both_keys_of_a_person(client, clinic, admin):
    signer = MembershipFactory(organisation=clinic, role=Role.HOSPITAL_SIGNATORY).person
    signer.set_password(LONG)
    signer.save()
    services.enrol_totp(signer)
    base = f"/organisations/clinic/people/{signer.pk}"
    assert client.post(f"{base}/codes", {"reason": ""}).status_code == 302
    assert signer.authenticator_set.exists()
    client.post(f"{base}/codes", {"reason": "came in person with a passport"})
    assert not signer.authenticator_set.exists()
    assert client.post(f"{base}/link").status_code == 403
    client.force_login(MembershipFactory(organisation=clinic, role=Role.PLATFORM_ADMIN).person)
    assert client.post(f"{base}/link").status_code == 200


def test_an_account_is_closed_with_a_reason_and_never_deleted(client, clinic, admin):
    reader = MembershipFactory(organisation=clinic, role=Role.HOSPITAL_READER).person
    client.post(f"/organisations/clinic/people/{reader.pk}/close", {"reason": "left"})
    reader.refresh_from_db()
    assert not reader.is_active
    assert client.post(f"/organisations/clinic/people/{admin.pk}/close", {"reason": "x"}).status_code == 403
    assert client.post(f"/organisations/clinic/people/{reader.pk}/nothing").status_code == 404


def test_a_token_is_shown_once_kept_as_a_hash_and_revoked(client, clinic):
    client.force_login(MembershipFactory(organisation=clinic, role=Role.HOSPITAL_QA).person)
    mine, theirs = DeploymentFactory(organisation=clinic), DeploymentFactory()
    form = {"name": "gateway", "verbs": ["send_predictions"], "days": 30, "deployment": str(mine.pk)}
    answer = client.post("/organisations/clinic/tokens", form)
    secret = re.search(r"vgl_[\w-]{40,}", answer.content.decode())[0]
    token = ApiToken.objects.get()
    assert (token.token_sha256, token.deployment_id) == (token_hash(secret), mine.pk)
    assert secret not in str(ApiToken.objects.values())
    assert client.post("/organisations/clinic/tokens", form | {"deployment": str(theirs.pk)}).status_code == 422
    assert client.post("/organisations/clinic/tokens", form | {"days": 900}).status_code == 422
    assert client.post("/organisations/clinic/tokens", form | {"verbs": []}).status_code == 422
    headers = {"Authorization": f"Bearer {secret}"}
    address = f"/api/v1/deployments/{mine.pk}/predictions"
    gateway = Client()
    good = gateway.post(address, "[]", content_type="application/json", headers=headers)
    client.post(f"/organisations/clinic/tokens/{token.pk}/revoke")
    revoked = gateway.post(address, "[]", content_type="application/json", headers=headers)
    assert good.status_code != 401
    assert revoked.status_code == 401


def test_the_operator_revokes_a_hospitals_token_and_makes_none(client, clinic):
    lead = MembershipFactory(organisation=clinic, role=Role.HOSPITAL_QA).person
    token, _ = services.create_token(organisation=clinic, person=lead, name="t", verbs=["see"])
    client.force_login(MembershipFactory(organisation__kind="operator", role=Role.PLATFORM_ADMIN).person)
    form = {"name": "x", "verbs": ["see"], "days": 30, "deployment": ""}
    assert client.post("/organisations/clinic/tokens", form).status_code == 403
    assert client.post(f"/organisations/clinic/tokens/{token.pk}/revoke").status_code == 302
    token.refresh_from_db()
    assert not token.valid


def test_the_operator_makes_organisations_and_nobody_else_does(client):
    form = {"name": "South Clinic", "slug": "south", "kind": "hospital", "country": "Germany"}
    client.force_login(MembershipFactory(role=Role.PLATFORM_ADMIN).person)
    assert client.post("/organisations", form).status_code == 403
    client.force_login(MembershipFactory(organisation__kind="operator", role=Role.PLATFORM_ADMIN).person)
    assert client.post("/organisations", form).headers["Location"] == "/organisations/south"
    assert client.post("/organisations", form).status_code == 200  # taken: the form says so
    assert Organisation.objects.filter(slug="south").count() == 1


def test_the_command_invites_the_first_administrator_without_a_default_password(capsys):
    call_command("invite", "root@platform.example", organisation="platform", kind="operator", name="Root")
    address = re.search(r"/invitation/([\w-]+)", capsys.readouterr().out)[1]
    person = services.redeem_link(address, password=LONG)
    assert person.memberships.get().role == Role.PLATFORM_ADMIN
    with pytest.raises(CommandError, match="give --kind"):
        call_command("invite", "a@b.example", organisation="unknown")


def test_the_profile_changes_the_zone_and_ends_another_session(client, clinic, admin):
    assert client.post("/profile", {"time_zone": "Mars/Base"}).status_code == 200
    client.post("/profile", {"time_zone": "Europe/Berlin"})
    admin.refresh_from_db()
    assert admin.time_zone == "Europe/Berlin"
    assert AuditEvent.objects.get(action="person.change").old == {"time_zone": "UTC"}
    stranger = services.add_person(email="s@x.example", name="S", password=LONG, by=SYSTEM)
    client.logout()
    client.post("/account/login/", {"login": stranger.email, "password": LONG})
    session = stranger.usersession_set.get()
    client.force_login(admin)
    assert client.post(f"/profile/sessions/{session.pk}/end").status_code == 404
