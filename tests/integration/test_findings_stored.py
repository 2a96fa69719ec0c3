"""A stored Finding is never edited; a later one of the same place supersedes it."""

from datetime import UTC, datetime

import pytest

from assurance.evidence.finding import Finding, Method, State, Window
from assurance.models import FindingRecord
from assurance.services.findings import store_finding
from tests.factories import DeploymentFactory

WEEK = Window(datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 9, tzinfo=UTC))


def a_finding(value, **place):
    method = Method("psi", "vigil", "1", {"bins": 10})
    return Finding("psi", value, "1", State.OK, 120, method, "0" * 64, signal="score", window=WEEK, **place)


@pytest.mark.django_db
def test_the_same_content_twice_is_one_row():
    deployment = DeploymentFactory()
    first = store_finding(a_finding(0.02), family="output", deployment=deployment)
    again = store_finding(a_finding(0.02), family="output", deployment=deployment)
    assert first.pk == again.pk
    assert FindingRecord.objects.count() == 1


@pytest.mark.django_db
def test_a_later_value_supersedes_and_the_earlier_one_stays_as_it_was():
    deployment = DeploymentFactory()
    first = store_finding(a_finding(0.02), family="output", deployment=deployment)
    second = store_finding(a_finding(0.31), family="output", deployment=deployment)
    first.refresh_from_db()
    assert first.superseded_by == second
    assert first.value == 0.02
    assert FindingRecord.objects.get(superseded_by=None) == second


@pytest.mark.django_db
def test_another_stratum_is_another_place():
    deployment = DeploymentFactory()
    store_finding(a_finding(0.02, stratum={"site": "a"}), family="output", deployment=deployment)
    store_finding(a_finding(0.03, stratum={"site": "b"}), family="output", deployment=deployment)
    assert FindingRecord.objects.filter(superseded_by=None).count() == 2
