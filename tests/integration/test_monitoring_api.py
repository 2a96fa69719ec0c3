"""The HTTP door of the monitoring app: who may send, what is answered, what a stranger sees."""

import json

import pytest

from accounts.models import Role
from accounts.tokens import issue_token
from monitoring.models import PredictionBatch
from tests.factories import DeploymentFactory, MembershipFactory, SiteFactory

pytestmark = pytest.mark.django_db
ROWS = [{"case_id": f"c{i}", "study_time": "2026-03-01T08:00:00Z", "score": i / 10} for i in range(5)]


@pytest.fixture
def deployment():
    found = DeploymentFactory()
    found.sites.add(SiteFactory(organisation=found.organisation, code="north"))
    return found


def token(deployment, *verbs, **options):
    lead = MembershipFactory(organisation=deployment.organisation, role=Role.HOSPITAL_QA).person
    return issue_token(
        organisation=deployment.organisation, person=lead, name="gateway", verbs=list(verbs or ("send_predictions",)),
        **options,
    )[1]  # fmt: skip


def post(client, deployment, secret, body=None, *, media_type="application/json", path="predictions", **headers):
    return client.post(
        f"/api/v1/deployments/{deployment.pk}/{path}", data=json.dumps(ROWS) if body is None else body,
        content_type=media_type, headers={"Authorization": f"Bearer {secret}", **headers},
    )  # fmt: skip


def test_rows_are_accepted_with_202_and_the_batch_can_be_asked_for(client, deployment):
    secret = token(deployment)
    answer = post(client, deployment, secret, json.dumps([*ROWS, {"case_id": "x", "study_time": "never"}]))
    assert answer.status_code == 202
    body = answer.json()
    assert (body["accepted"], body["rejected"]) == (5, 1)
    assert body["rejects"][0]["column"] == "study_time"
    again = client.get(f"/api/v1/batches/{body['id']}", headers={"Authorization": f"Bearer {secret}"})
    assert again.json()["rejects"] == body["rejects"]


def test_the_same_idempotency_key_answers_with_the_same_batch(client, deployment):
    secret = token(deployment)
    first = post(client, deployment, secret, **{"Idempotency-Key": "a"}).json()
    second = post(client, deployment, secret, **{"Idempotency-Key": "a"}).json()
    assert first["id"] == second["id"]
    assert PredictionBatch.objects.count() == 1


def test_without_token_or_with_a_wrong_one_nothing_is_told(client, deployment):
    assert client.post(f"/api/v1/deployments/{deployment.pk}/predictions").status_code == 401
    assert post(client, deployment, "vgl_wrong").status_code == 401


def test_another_hospitals_token_finds_no_deployment(client, deployment):
    stranger = DeploymentFactory()
    assert post(client, deployment, token(stranger)).status_code == 404
    assert not PredictionBatch.objects.exists()


def test_a_token_without_the_verb_or_for_another_deployment_is_refused(client, deployment):
    assert post(client, deployment, token(deployment, "see")).status_code == 403
    other = DeploymentFactory(organisation=deployment.organisation)
    assert post(client, deployment, token(deployment, deployment_id=other.pk)).status_code == 404


def test_an_unreadable_body_gets_a_sentence_and_a_code(client, deployment):
    answer = post(client, deployment, token(deployment), "{not json")
    assert answer.status_code == 422
    assert answer.json()["code"] == "unreadable"
    answer = post(client, deployment, token(deployment), "x", media_type="image/png")
    assert answer.json()["code"] == "unknown_format"


def test_labels_come_later_by_their_own_address(client, deployment):
    secret = token(deployment)
    post(client, deployment, secret)
    answer = post(
        client, deployment, secret, '[{"case_id": "c1", "label": 1}, {"case_id": "c2", "label": 5}]', path="labels"
    )
    assert answer.status_code == 202
    assert (answer.json()["accepted"], answer.json()["rejected"]) == (1, 1)


def test_findings_need_the_verb_see(client, deployment):
    secret = token(deployment, "see")
    answer = client.get(
        f"/api/v1/deployments/{deployment.pk}/findings?from=2026-01-01T00:00:00Z",
        headers={"Authorization": f"Bearer {secret}"},
    )
    assert answer.status_code == 200
    assert answer.json() == []


def test_openapi_names_every_address_of_the_interface(client):
    paths = client.get("/api/v1/openapi.json").json()["paths"]
    for path in ("deployments/{deployment_id}/predictions", "batches/{batch_id}", "deployments/{deployment_id}/labels",
                 "deployments/{deployment_id}/findings"):  # fmt: skip
        assert f"/api/v1/{path}" in paths
