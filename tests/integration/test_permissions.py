"""Role × action × whose object: what is expected, written as a table."""

import re
from pathlib import Path

import pytest
from django.core.exceptions import PermissionDenied

from accounts.models import Organisation, Role
from accounts.permissions import Action, may, may_manage_person, require, tenants_of
from accounts.services import grant_access
from records.actor import SYSTEM
from tests.factories import DeploymentFactory, MembershipFactory, ModelVersionFactory, OrganisationFactory

# What each role may do to an object of its own organisation, written down by hand; every other pair is forbidden.
OWN = {
    Role.HOSPITAL_READER: "see see_cases download_dossier",
    Role.HOSPITAL_QA: "see see_cases download_dossier ask_explanation handle_alarm set_plan manage_deployment "
    "edit_local_card send_predictions build_dossier see_trail manage_tokens open_incident",
    Role.SAFETY_OFFICER: "see see_cases download_dossier handle_alarm open_incident handle_incident see_trail sign",
    Role.HOSPITAL_SIGNATORY: "see see_cases download_dossier see_trail sign",
    Role.DEVELOPER_AUTHOR: "see register_model edit_card edit_submission build_dossier download_dossier see_trail sign",
    Role.DEVELOPER_APPROVER: "see approve_card submit sign download_dossier build_dossier see_trail manage_tokens "
    "handle_incident",
    Role.REGULATOR_INTAKE: "see download_dossier assess sign",
    Role.REGULATOR_ASSESSOR: "see download_dossier assess sign see_trail",
    Role.REGULATOR_DECIDER: "see download_dossier assess decide sign see_trail",
    Role.REGULATOR_OBSERVER: "see download_dossier",
    Role.AUDITOR: "see see_cases see_trail download_dossier",
    Role.PLATFORM_ADMIN: "see manage_people manage_tokens see_trail",
    Role.INTEGRATION: "see send_predictions ask_explanation",
}
# What a role may do to a deployment that belongs to somebody else.
SHARED = {
    ("developer", Role.DEVELOPER_AUTHOR): "see download_dossier build_dossier",
    ("developer", Role.DEVELOPER_APPROVER): "see download_dossier build_dossier handle_incident",
    ("developer", Role.AUDITOR): "see download_dossier",
    ("granted", Role.REGULATOR_INTAKE): "see download_dossier assess sign",
    ("granted", Role.REGULATOR_ASSESSOR): "see download_dossier assess sign see_trail",
    ("granted", Role.REGULATOR_DECIDER): "see download_dossier assess decide sign see_trail",
    ("granted", Role.REGULATOR_OBSERVER): "see download_dossier",
    ("granted", Role.AUDITOR): "see see_trail download_dossier",
    ("operator", Role.PLATFORM_ADMIN): "manage_people manage_tokens see_trail",
    ("operator", Role.AUDITOR): "see see_trail download_dossier",
}
CASES = [("owner", role, allowed) for role, allowed in OWN.items()]
CASES += [(whose, role, allowed) for (whose, role), allowed in SHARED.items()]
CASES += [("stranger", role, "") for role in OWN]
CASES += [("regulator without grant", role, "") for role in OWN if role.startswith("regulator")]


@pytest.mark.django_db
@pytest.mark.parametrize(("whose", "role", "allowed"), CASES, ids=lambda value: str(value)[:24])
def test_every_role_may_do_exactly_what_the_table_says(whose, role, allowed):
    version = ModelVersionFactory()
    deployment = DeploymentFactory(version=version)
    organisation = _organisation(whose, role, deployment)
    if whose == "granted":
        grant_access(deployment, to=organisation, by=SYSTEM)
    person = MembershipFactory(organisation=organisation, role=role).person
    assert {str(action) for action in Action if may(person, action, deployment)} == set(allowed.split())


def _organisation(whose, role, deployment):
    if whose == "owner":
        return deployment.organisation
    if whose == "developer":
        return deployment.version.model.organisation
    kind = {"granted": "regulator", "regulator without grant": "regulator", "operator": "operator"}.get(whose)
    return OrganisationFactory(kind=kind or _kind(role))


def test_the_table_names_every_role_and_every_action():
    assert set(OWN) == set(Role)
    assert {action for allowed in OWN.values() for action in allowed.split()} == {str(action) for action in Action}


def test_the_page_for_people_shows_the_same_table():
    page = (Path(__file__).parents[2] / "docs" / "people.md").read_text(encoding="utf-8")
    shown = dict(re.findall(r"\| [^|]*\(`(\w+)`\) \| ([^|]*) \|", page))
    assert {key: set(words.replace(" ", "_").split(",_")) for key, words in shown.items()} == {
        str(role): set(allowed.split()) for role, allowed in OWN.items()
    }


@pytest.mark.parametrize("role", [Role.REGULATOR_ASSESSOR, Role.REGULATOR_DECIDER, Role.REGULATOR_INTAKE])
def test_who_assesses_edits_nothing(role):
    edits = {"register_model", "edit_card", "edit_local_card", "edit_submission", "approve_card", "set_plan", "submit",
             "manage_deployment", "handle_alarm", "send_predictions", "build_dossier", "see_cases"}  # fmt: skip
    assert not edits & set(OWN[role].split())


def test_the_auditor_changes_nothing_and_the_operator_signs_nothing():
    assert set(OWN[Role.AUDITOR].split()) == {"see", "see_cases", "see_trail", "download_dossier"}
    for role in OWN:
        operator = SHARED.get(("operator", role), "").split()
        assert not {"sign", "see_cases"} & set(operator)


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


@pytest.mark.django_db
def test_no_patient_level_row_is_open_to_an_administrator_or_the_operator():
    clinic = OrganisationFactory()
    for role, kind, seen in (
        (Role.PLATFORM_ADMIN, "hospital", False), (Role.PLATFORM_ADMIN, "operator", False),
        (Role.AUDITOR, "operator", False), (Role.AUDITOR, "hospital", True), (Role.HOSPITAL_READER, "hospital", True),
    ):  # fmt: skip
        organisation = clinic if kind == "hospital" else OrganisationFactory(kind=kind)
        person = MembershipFactory(organisation=organisation, role=role).person
        assert tenants_of(person) == ([clinic.pk] if seen else [])


@pytest.mark.django_db
def test_an_administrator_keeps_keys_of_their_own_people_only():
    administrator = MembershipFactory(role=Role.PLATFORM_ADMIN)
    reader = MembershipFactory(organisation=administrator.organisation, role=Role.HOSPITAL_READER).person
    shared = MembershipFactory(organisation=administrator.organisation, role=Role.HOSPITAL_READER).person
    MembershipFactory(person=shared, role=Role.HOSPITAL_READER)
    operator = MembershipFactory(organisation__kind="operator", role=Role.PLATFORM_ADMIN).person
    assert may_manage_person(administrator.person, reader)
    assert not may_manage_person(administrator.person, shared)
    assert may_manage_person(operator, shared)
    assert not may_manage_person(administrator.person, administrator.person)
    assert not may_manage_person(reader, shared)
