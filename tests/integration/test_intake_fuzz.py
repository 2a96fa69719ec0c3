"""Requests made from the OpenAPI document, right and wrong ones: never a 500, every refusal with code and sentence."""

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import Role
from accounts.tokens import issue_token
from tests.factories import DeploymentFactory, MembershipFactory, SiteFactory


@pytest.fixture
def api(db):
    from config.wsgi import application

    schemathesis.openapi.media_type("text/csv", st.binary(max_size=200))
    for name in ("application/x-ndjson", "application/vnd.apache.parquet"):
        schemathesis.openapi.media_type(name, st.binary(max_size=200))

    def from_somewhere(environ, start_response):
        return application({"REMOTE_ADDR": "127.0.0.1", **environ}, start_response)

    for moment in (request_started, request_finished):  # the test's transaction lives on this connection
        moment.disconnect(close_old_connections)
    yield schemathesis.openapi.from_wsgi("/api/v1/openapi.json", from_somewhere)
    for moment in (request_started, request_finished):
        moment.connect(close_old_connections)


@pytest.fixture
def access(db):
    deployment = DeploymentFactory()
    deployment.sites.add(SiteFactory(organisation=deployment.organisation, code="north"))
    lead = MembershipFactory(organisation=deployment.organisation, role=Role.HOSPITAL_QA).person
    secret = issue_token(
        organisation=deployment.organisation, person=lead, name="x", verbs=["send_predictions", "see"]
    )[1]  # fmt: skip
    return str(deployment.pk), {"Authorization": f"Bearer {secret}"}


def test_no_request_of_the_document_ends_in_a_500(api, access):
    deployment, head = access
    seen = []
    for found in api.include(path_regex=r"/(predictions|labels|fhir|findings|batches/.*)$").get_all_operations():
        operation = found.ok()
        seen.append(operation.label)

        @settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), database=None)
        @given(case=operation.as_strategy())
        def never_a_500(case):
            if "deployment_id" in (case.path_parameters or {}):
                case.path_parameters["deployment_id"] = deployment
            answer = case.call(headers=head)
            assert answer.status_code < 500, answer.text
            if answer.status_code == 422:
                told = answer.json()
                assert told.get("code") or told.get("detail")

        never_a_500()
    assert len(seen) == 6
