"""Evidently's report of a window, and the cases to look at first: who sees them, and what they say."""

from datetime import date

import numpy as np
import pytest

from accounts.models import Organisation, Role
from assurance.evidence.errors import InvalidInput
from assurance.jobs import Cancelled
from assurance.models import Job
from monitoring.drift.distribution import distribution
from monitoring.drift.drivers import w1_influence
from monitoring.models import WindowReport
from monitoring.selectors.exemplars import exemplars_of
from monitoring.services.window_reports import ask_window_report, is_stale, make_window_report
from monitoring.windows.calendar import Span
from monitoring.windows.cases import cases_of
from records.actor import SYSTEM
from records.models import AuditEvent
from tests.factories import MembershipFactory
from tests.integration.test_windows_explained import deployed

pytestmark = pytest.mark.django_db
START, END = date(2026, 2, 1), date(2026, 3, 1)
DAYS = {"start": START, "end": END}


@pytest.fixture
def deployment():
    return deployed({"context": False, "embedding": [], "permutations": 99}, images=0.5, old=0.9)


def person_of(organisation, role=Role.HOSPITAL_QA):
    return MembershipFactory(organisation=organisation, role=role).person


def test_the_report_is_asked_for_made_in_a_job_and_says_where_it_differs(client, deployment):
    client.force_login(person_of(deployment.organisation))
    page = f"/deployments/{deployment.slug}/window/report?start={START}&end={END}"
    assert b"No report of this window has been made yet" in client.get(page).content
    assert client.post(page).status_code == 302
    assert client.post(page).status_code == 302  # a second click asks for no second report
    job = Job.objects.get(task="monitoring.make_window_report")
    assert (job.queue, job.arguments["start"]) == ("statistics", "2026-02-01")
    assert AuditEvent.objects.filter(action="window_report.ask").count() == 1
    assert b"waiting for a free worker" in client.get(page).content
    report = make_window_report(deployment, **DAYS)
    Job.objects.filter(pk=job.pk).update(status=Job.Status.DONE)
    told = {one["signal"]: one for one in report.opinions}
    assert set(told) == {"score", "q_noise", "meta_age", "meta_sex", "meta_software_versions"}
    assert told["q_noise"]["drift"] is True and told["q_noise"]["ours"] in ("watch", "act")
    assert told["q_noise"]["differs_because"] == "" and report.n_cases == 700 and not is_stale(report)
    shown = client.get(page).content.decode()
    assert "Open Evidently&#x27;s page" in shown or "Open Evidently's page" in shown
    own = client.get(f"/deployments/{deployment.slug}/window/reports/{report.pk}")
    policy = own["Content-Security-Policy"]
    assert policy.startswith("sandbox allow-scripts") and "default-src 'none'" in policy
    assert "allow-same-origin" not in policy and "http" not in policy
    assert b"<html" in own.content[:2000].lower() and len(own.content) > 100_000
    file = client.get(f"/deployments/{deployment.slug}/window/reports/{report.pk}?download=1")
    assert file["Content-Disposition"].startswith("attachment")
    by_api = client.get(f"/api/v1/deployments/{deployment.pk}/windows/{START}/{END}/evidently").json()
    assert by_api["status"] == "made" and len(by_api["opinions"]) == 5


def test_only_the_hospital_s_own_people_see_it(client, deployment):
    made = WindowReport(deployment=deployment, version=deployment.version, start=START, end=END)
    page = f"/deployments/{deployment.slug}/window/report?start={START}&end={END}"
    cases = f"/deployments/{deployment.slug}/window/exemplars?signal=q_noise&start={START}&end={END}"
    developer = person_of(deployment.version.model.organisation, Role.DEVELOPER_AUTHOR)
    stranger = MembershipFactory(organisation__kind=Organisation.Kind.HOSPITAL, role=Role.HOSPITAL_QA).person
    for person, code in ((developer, 403), (stranger, 404)):
        client.force_login(person)
        assert client.get(page).status_code == code and client.get(cases).status_code == code
        assert client.post(page).status_code == code
        assert client.post(f"/api/v1/deployments/{deployment.pk}/windows/{START}/{END}/evidently").status_code in (
            403,
            404,
        )
    assert not Job.objects.filter(task="monitoring.make_window_report").exists() and made.pk is None


def test_days_without_a_window_are_refused(client, deployment):
    with pytest.raises(InvalidInput, match="no computed window from 2026-02-02"):
        ask_window_report(deployment, start=date(2026, 2, 2), end=END, by=SYSTEM)
    client.force_login(person_of(deployment.organisation))
    assert client.get(f"/deployments/{deployment.slug}/window/report?start=soon&end=2026-03-01").status_code == 404


def test_a_stopped_report_stores_nothing(deployment):
    def stop(done, of, step):
        if done == 1:
            raise Cancelled("cancelled", "stopped")

    with pytest.raises(Cancelled):
        make_window_report(deployment, **DAYS, progress=stop)
    assert not WindowReport.objects.exists()


def test_the_twenty_cases_are_those_whose_removal_brings_the_window_closest(client, deployment):
    found = exemplars_of(deployment, signal="q_noise", site="", start=START, end=END)
    cases = cases_of(deployment, Span(START, END), embeddings=False)
    before = distribution(cases_of(deployment, None, embeddings=False).values["q_noise"], name="q_noise")
    values = cases.values["q_noise"]
    assert len(found.cases) == 20 and found.n == 700
    pulls = dict(zip(cases.case, w1_influence(before, values), strict=True))
    best = sorted(pulls.values())[-20:]
    assert sorted(pulls[one.case] for one in found.cases) == pytest.approx(best, rel=0.05)
    assert np.mean([one.value for one in found.cases]) > before.mean  # noise rose, so the noisiest pull
    versions = exemplars_of(deployment, signal="meta_sex", site="north", start=START, end=END)
    assert all(one.value in ("F", "M") for one in versions.cases)
    images = exemplars_of(deployment, signal="embedding", site="", start=START, end=END)
    assert len(images.cases) == 20 and images.cases[0].pull >= images.cases[-1].pull > 0
    assert exemplars_of(deployment, signal="nothing", site="", start=START, end=END) is None
    client.force_login(person_of(deployment.organisation))
    shown = client.get(f"/deployments/{deployment.slug}/window/exemplars?signal=q_noise&start={START}&end={END}")
    assert found.cases[0].case[:12] in shown.content.decode()
