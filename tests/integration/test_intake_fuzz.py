"""Requests made from the OpenAPI document, right and wrong ones: never a 500, every refusal with code and sentence."""

import pytest
import schemathesis
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import Role
from accounts.tokens import VERBS, issue_token
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
        organisation=deployment.organisation, person=lead, name="x", verbs=[str(verb) for verb in VERBS]
    )[1]  # fmt: skip
    return str(deployment.pk), {"Authorization": f"Bearer {secret}"}


INTAKE = r"/(predictions|labels|fhir|findings|batches/.*)$"


def attack(operation, access, *, examples):
    deployment, head = access

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(case=operation.as_strategy())
    def never_a_500(case):
        if "deployment_id" in (case.path_parameters or {}):
            case.path_parameters["deployment_id"] = deployment
        answer = case.call(headers=head)
        assert answer.status_code < 500, f"{operation.label}: {answer.text[:500]}"
        if answer.status_code == 422:
            told = answer.json()
            assert told.get("code") or told.get("detail")

    never_a_500()


def test_no_request_of_the_document_ends_in_a_500(api, access):
    seen = [found.ok() for found in api.include(path_regex=INTAKE).get_all_operations()]
    for operation in seen:
        attack(operation, access, examples=25)
    assert len(seen) == 6


def test_no_other_request_of_the_document_ends_in_a_500_either(api, access):
    seen = [found.ok() for found in api.exclude(path_regex=INTAKE).get_all_operations()]
    for operation in seen:
        attack(operation, access, examples=8)
    assert len(seen) >= 10
