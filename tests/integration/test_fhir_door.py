"""FHIR R4 bundles: a device's results are predictions, a reader's are labels, every odd entry is told."""

import json

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import Role
from accounts.tokens import issue_token
from assurance.evidence.errors import InvalidInput
from assurance.services.pseudonyms import pseudonym
from monitoring.intake.fhir import read_bundle
from monitoring.models import Label
from tests.factories import DeploymentFactory, MembershipFactory, SiteFactory

UID = "1.2.840.99.7"


def concept(display, code="x"):
    return {"coding": [{"system": "http://snomed.info/sct", "code": code, "display": display}]}


def bundle(*resources):
    return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": one} for one in resources]}


def study():
    return {
        "resourceType": "ImagingStudy", "id": "s1", "started": "2026-03-01T08:00:00+01:00",
        "identifier": [{"system": "urn:dicom:uid", "value": f"urn:oid:{UID}"}],
    }  # fmt: skip


def observation(**parts):
    return {
        "resourceType": "Observation", "id": "o1", "status": "final", "code": concept("Nodule probability"),
        "subject": {"reference": "Patient/p1"}, "derivedFrom": [{"reference": "ImagingStudy/s1"}],
        "device": {"reference": "Device/d1"}, "valueQuantity": {"value": 87, "code": "%"},
        "component": [{"code": concept("Volume"), "valueQuantity": {"value": 1500, "code": "mm3"}},
                      {"code": concept("Margin"), "valueCodeableConcept": concept("Irregular")}],
    } | parts  # fmt: skip


PATIENT = {"resourceType": "Patient", "id": "p1", "name": [{"family": "Nobody"}], "identifier": [{"value": "P-9"}]}
READER = {
    "resourceType": "Observation", "id": "o2", "status": "final", "code": concept("Nodule"),
    "derivedFrom": [{"reference": "ImagingStudy/s1"}], "performer": [{"reference": "Practitioner/r1"}],
    "effectiveDateTime": "2026-03-09T08:00:00Z", "valueCodeableConcept": concept("Present", "52101004"),
}  # fmt: skip


@pytest.fixture
def deployment(db):
    found = DeploymentFactory()
    found.sites.add(SiteFactory(organisation=found.organisation, code="north"))
    return found


@pytest.fixture
def post(client, deployment):
    lead = MembershipFactory(organisation=deployment.organisation, role=Role.HOSPITAL_QA).person
    secret = issue_token(organisation=deployment.organisation, person=lead, name="g", verbs=["send_predictions"])[1]

    def send(body):
        return client.post(
            f"/api/v1/deployments/{deployment.pk}/fhir", data=body if isinstance(body, bytes) else json.dumps(body),
            content_type="application/fhir+json", headers={"Authorization": f"Bearer {secret}"},
        )  # fmt: skip

    return send


def test_a_bundle_gives_the_prediction_of_a_device_and_the_label_of_a_reader(deployment, post):
    answer = post(bundle(study(), PATIENT, observation(), READER))
    assert answer.status_code == 202
    assert "1 predictions in" in answer.json()["issue"][0]["diagnostics"]
    with connection.cursor() as cursor:
        cursor.execute('SELECT "case", patient, score, numbers, levels, study_time::text FROM monitoring_prediction')
        case, patient, score, numbers, levels, moment = cursor.fetchone()
    assert case == pseudonym(deployment.organisation_id, UID)
    assert patient == pseudonym(deployment.organisation_id, "P-9")
    assert (score, numbers, levels) == (0.87, [1.5], ["Irregular"])
    assert moment.startswith("2026-03-01 07:00")
    label = Label.objects.get()
    assert (label.case, label.value) == (case, 1)


def test_a_provenance_agent_decides_between_device_and_reader(deployment, post):
    plain = observation(device=None, performer=[])
    maker = {
        "resourceType": "Provenance", "target": [{"reference": "Observation/o1"}],
        "agent": [{"who": {"reference": "Practitioner/r1"}}],
    }  # fmt: skip
    post(bundle(study(), plain | {"component": [], "valueQuantity": {"value": 1}}, maker))
    assert Label.objects.get().value == 1


def test_the_same_bundle_twice_is_one_delivery(deployment, post):
    first, second = post(bundle(study(), observation())), post(bundle(study(), observation()))
    assert first.json()["issue"][0] == second.json()["issue"][0]


def test_every_odd_entry_is_an_issue_and_the_good_ones_go_in(deployment, post):
    answer = post(
        bundle(study(), observation(), observation(id="o3", derivedFrom=[]), "no resource",
               observation(id="o4", status="entered-in-error"), READER | {"valueCodeableConcept": concept("Perhaps")})
    )  # fmt: skip
    issues = {one["expression"][0]: one["diagnostics"] for one in answer.json()["issue"][1:]}
    assert set(issues) == {"Bundle.entry[2]", "Bundle.entry[3]", "Bundle.entry[4]"} | {"Bundle.entry[5]"}
    assert issues["Bundle.entry[2]"].startswith("no_study")
    assert "neither present nor absent" in issues["Bundle.entry[5]"]


@pytest.mark.parametrize("body", [b"", b"[1]", b'{"resourceType": 5}', b'{"resourceType": "Bundle", "entry": 7}'])
def test_what_is_no_bundle_is_refused_with_a_sentence(deployment, post, body):
    answer = post(body)
    assert answer.status_code == 422
    assert answer.json()["code"] in ("unreadable", "not_fhir")


JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=8) | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["resourceType", "entry", "resource", "code", "coding", "derivedFrom", "valueQuantity", "value",
                         "component", "agent", "target", "subject", "reference", "identifier"]), inner, max_size=5),
    max_leaves=25,
)  # fmt: skip


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(JSON, max_size=4), st.sampled_from(["Observation", "DiagnosticReport", "Provenance"]))
def test_no_bundle_breaks_the_reader(parts, kind):
    entries = [{"resource": {**part, "resourceType": kind} if isinstance(part, dict) else part} for part in parts]
    try:
        read_bundle(json.dumps({"resourceType": "Bundle", "entry": entries}).encode())
    except InvalidInput as refusal:
        assert refusal.message
