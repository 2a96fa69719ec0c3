"""People, their roles and what nobody may do: every step is an audit event."""

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import IntegrityError
from django.utils import timezone

from accounts import services
from accounts.models import AccessGrant, Organisation, Role
from accounts.permissions import Action, granted_ids, may
from accounts.signing import has_totp
from records.actor import SYSTEM, Actor
from records.models import AuditEvent
from tests.factories import DeploymentFactory, MembershipFactory, OrganisationFactory, PersonFactory, SiteFactory

pytestmark = pytest.mark.django_db
LONG = "four plain words together"


def actions() -> list[str]:
    return list(AuditEvent.objects.values_list("action", flat=True))


def test_an_organisation_with_a_person_in_a_role_is_made_and_every_step_is_on_record():
    organisation = services.create_organisation(name="North Clinic", slug="north", kind="hospital", by=SYSTEM)
    site = services.add_site(organisation, code="main", name="Main", time_zone="Europe/Berlin", by=SYSTEM)
    person = services.add_person(email="Lead@North.example", name="QA lead", by=SYSTEM)
    assert (person.email, person.has_usable_password()) == ("lead@north.example", False)
    membership = services.grant_role(person, organisation, Role.HOSPITAL_QA, site=site, by=SYSTEM)
    services.enrol_totp(person)
    assert has_totp(person)
    services.end_role(membership, by=SYSTEM, reason="moved on")
    assert actions() == [
        "organisation.create", "site.add", "person.add", "role.grant", "person.second_factor", "role.end",
    ]  # fmt: skip
    assert not may(type(person).objects.get(pk=person.pk), Action.SEE, organisation)


@pytest.mark.parametrize(("kind", "role"), [
    ("hospital", Role.DEVELOPER_AUTHOR), ("developer", Role.REGULATOR_DECIDER), ("operator", Role.HOSPITAL_QA),
    ("regulator", Role.SAFETY_OFFICER), ("hospital", Role.INTEGRATION),
])  # fmt: skip
def test_a_role_must_fit_the_kind_of_organisation(kind, role):
    with pytest.raises(ValidationError, match="one of"):
        services.grant_role(PersonFactory(), OrganisationFactory(kind=kind), role, by=SYSTEM)


@pytest.mark.parametrize(("first", "second", "role"), [
    ("developer", "regulator", Role.REGULATOR_ASSESSOR), ("hospital", "regulator", Role.REGULATOR_DECIDER),
    ("hospital", "operator", Role.PLATFORM_ADMIN),
])  # fmt: skip
def test_one_person_never_stands_on_two_sides(first, second, role):
    person = MembershipFactory(organisation__kind=first, role=Role.AUDITOR).person
    with pytest.raises(ValidationError, match="two sides"):
        services.grant_role(person, OrganisationFactory(kind=second), role, by=SYSTEM)


def test_a_person_may_work_for_two_hospitals():
    person = MembershipFactory().person
    services.grant_role(person, OrganisationFactory(), Role.HOSPITAL_READER, by=SYSTEM)
    assert person.memberships.current().count() == 2


def test_an_administrator_gives_no_role_to_themselves():
    admin = MembershipFactory(role=Role.PLATFORM_ADMIN)
    by = Actor(person_id=admin.person_id, organisation_id=admin.organisation_id, role=admin.role)
    with pytest.raises(PermissionDenied, match="to themselves"):
        services.grant_role(admin.person, admin.organisation, Role.HOSPITAL_SIGNATORY, by=by)


def test_a_link_sets_a_password_once_and_the_older_one_ends():
    person = services.add_person(email="a@b.example", name="A B", by=SYSTEM)
    _, older = services.make_link(person, by=SYSTEM)
    _, secret = services.make_link(person, by=SYSTEM)
    with pytest.raises(ValidationError, match="ask for a new one"):
        services.redeem_link(older, password=LONG)
    with pytest.raises(ValidationError, match="too short"):
        services.redeem_link(secret, password="short")
    assert services.redeem_link(secret, password=LONG).check_password(LONG)
    with pytest.raises(ValidationError, match="ask for a new one"):
        services.redeem_link(secret, password=LONG)


def test_a_late_link_does_nothing():
    person = services.add_person(email="a@b.example", name="A B", by=SYSTEM)
    link, secret = services.make_link(person, by=SYSTEM)
    link.expires_at = timezone.now() - timedelta(seconds=1)
    link.save()
    with pytest.raises(ValidationError, match="expired"):
        services.redeem_link(secret, password=LONG)


def test_a_regulator_sees_what_was_granted_from_a_date_to_a_date_and_changes_nothing():
    deployment = DeploymentFactory()
    assessor = MembershipFactory(
        organisation=OrganisationFactory(kind=Organisation.Kind.REGULATOR), role=Role.REGULATOR_ASSESSOR
    )
    person, now = assessor.person, timezone.now()
    assert not may(person, Action.SEE, deployment)
    terms = {"to": assessor.organisation, "by": SYSTEM}
    services.grant_access(deployment, starts_at=now + timedelta(days=1), **terms)
    services.grant_access(deployment, starts_at=now - timedelta(days=2), ends_at=now - timedelta(days=1), **terms)
    assert not may(person, Action.SEE, deployment)
    grant = services.grant_access(deployment, ends_at=now + timedelta(days=1), **terms)
    assert may(person, Action.SEE, deployment)
    assert granted_ids(person, type(deployment)) == [str(deployment.pk)]
    for action in (Action.SEE_CASES, Action.HANDLE_ALARM, Action.EDIT_SUBMISSION, Action.EDIT_CARD):
        assert not may(person, action, deployment)
    services.end_access(grant, subject=deployment, by=SYSTEM, reason="taken back")
    assert not may(person, Action.SEE, deployment)
    assert actions() == ["access.grant"] * 3 + ["access.end"]


def test_the_database_refuses_a_grant_that_ends_before_it_starts():
    now = timezone.now()
    with pytest.raises(ValidationError, match="is not after"):
        services.grant_access(DeploymentFactory(), to=OrganisationFactory(), by=SYSTEM, starts_at=now, ends_at=now)
    with pytest.raises(IntegrityError):
        AccessGrant.objects.create(organisation=OrganisationFactory(), starts_at=now, ends_at=now - timedelta(1))


def test_each_view_is_on_record_with_who_looked():
    deployment, reader = DeploymentFactory(), MembershipFactory()
    by = Actor(person_id=reader.person_id, organisation_id=reader.organisation_id, role=reader.role)
    services.log_view(deployment, by=by, what="page")
    event = AuditEvent.objects.get()
    assert (event.action, event.person_name, event.subject_id) == (
        "object.view",
        reader.person.name,
        str(deployment.pk),
    )


def test_a_role_for_one_site_does_not_reach_another():
    north = SiteFactory()
    south = SiteFactory(organisation=north.organisation)
    deployment = DeploymentFactory(organisation=north.organisation, sites=[north])
    for site, allowed in ((north, True), (south, False), (None, True)):
        person = MembershipFactory(organisation=north.organisation, role=Role.HOSPITAL_SIGNATORY, site=site).person
        assert may(person, Action.SIGN, deployment) is allowed
