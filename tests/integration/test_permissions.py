"""Role × action × whose object: what is expected, written as a table."""

import pytest
from django.core.exceptions import PermissionDenied

from accounts.models import Organisation, Role
from accounts.permissions import Action, may, require
from tests.factories import DeploymentFactory, MembershipFactory, ModelVersionFactory, OrganisationFactory

KINDS = {"hospital": "hospital", "developer": "developer", "regulator": "regulator", "operator": "operator"}
#      role, organisation relative to the object, action, allowed
TABLE = [
    (Role.HOSPITAL_READER, "owner", Action.SEE, True),
    (Role.HOSPITAL_READER, "owner", Action.SEE_CASES, True),
    (Role.HOSPITAL_READER, "owner", Action.HANDLE_ALARM, False),
    (Role.HOSPITAL_QA, "owner", Action.HANDLE_ALARM, True),
    (Role.HOSPITAL_QA, "owner", Action.SIGN, False),
    (Role.HOSPITAL_QA, "owner", Action.EDIT_SUBMISSION, False),
    (Role.SAFETY_OFFICER, "owner", Action.HANDLE_INCIDENT, True),
    (Role.HOSPITAL_QA, "stranger", Action.SEE, False),
    (Role.HOSPITAL_QA, "stranger", Action.SEE_CASES, False),
    (Role.HOSPITAL_SIGNATORY, "stranger", Action.SIGN, False),
    (Role.DEVELOPER_AUTHOR, "developer", Action.SEE, True),
    (Role.DEVELOPER_AUTHOR, "developer", Action.SEE_CASES, False),
    (Role.DEVELOPER_AUTHOR, "developer", Action.HANDLE_ALARM, False),
    (Role.DEVELOPER_AUTHOR, "stranger", Action.SEE, False),
    (Role.REGULATOR_ASSESSOR, "stranger", Action.SEE, False),
    (Role.AUDITOR, "owner", Action.SEE_TRAIL, True),
    (Role.AUDITOR, "owner", Action.HANDLE_ALARM, False),
    (Role.AUDITOR, "owner", Action.SIGN, False),
    (Role.PLATFORM_ADMIN, "operator", Action.SEE_CASES, False),
    (Role.PLATFORM_ADMIN, "operator", Action.SIGN, False),
    (Role.PLATFORM_ADMIN, "operator", Action.MANAGE_PEOPLE, True),
    (Role.INTEGRATION, "owner", Action.SEND_PREDICTIONS, True),
    (Role.INTEGRATION, "owner", Action.SEE_CASES, False),
]  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize(("role", "whose", "action", "allowed"), TABLE)
def test_the_table_of_permissions_on_a_deployment(role, whose, action, allowed):
    version = ModelVersionFactory()
    deployment = DeploymentFactory(version=version)
    organisation = {
        "owner": deployment.organisation,
        "developer": version.model.organisation,
        "stranger": OrganisationFactory(kind=_kind(role)),
        "operator": OrganisationFactory(kind=Organisation.Kind.OPERATOR),
    }[whose]
    person = MembershipFactory(organisation=organisation, role=role).person
    assert may(person, action, deployment) is allowed


def _kind(role: str) -> str:
    prefix = str(role).split("_", maxsplit=1)[0]
    return prefix if prefix in Organisation.Kind.values else "hospital"


@pytest.mark.django_db
def test_the_refusal_names_what_is_missing():
    deployment = DeploymentFactory()
    reader = MembershipFactory(organisation=deployment.organisation, role=Role.HOSPITAL_READER).person
    with pytest.raises(PermissionDenied, match="handle alarm is not allowed to Hospital QA reader"):
        require(reader, Action.HANDLE_ALARM, deployment)


@pytest.mark.django_db
def test_an_ended_membership_and_an_inactive_person_allow_nothing():
    membership = MembershipFactory(role=Role.HOSPITAL_QA)
    deployment = DeploymentFactory(organisation=membership.organisation)
    assert may(membership.person, Action.SEE, deployment)
    membership.ends_at = membership.starts_at
    membership.save()
    again = type(membership.person).objects.get(pk=membership.person.pk)
    assert not may(again, Action.SEE, deployment)
