"""From stored rows to windows, findings and alarms, checked against the raw values by other routes."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from accounts.models import Organisation
from assurance.evidence.errors import InvalidInput, NotComputable
from assurance.models import FindingRecord, Job
from monitoring.models import Alarm, WindowRun
from monitoring.services.alarms import handle_alarm
from monitoring.services.day_states import summarise_batch
from monitoring.services.intake import accept_batch
from monitoring.services.plans import freeze_plan
from monitoring.services.references import freeze_reference
from monitoring.services.windows import compute_due
from records.actor import SYSTEM, Actor
from records.models import AuditEvent
from tests.factories import DeploymentFactory, PersonFactory, SiteFactory

pytestmark = pytest.mark.django_db
TODAY = date(2026, 4, 1)


def rows(rng, *, start, n, days, site, shift=0.0, prefix="c"):
    scores = np.clip(rng.normal(0.4 + shift, 0.1, n), 0, 1)
    labels = (rng.random(n) < scores).astype(int)
    times = [
        datetime(2026, *start, 6, tzinfo=UTC) + timedelta(days=float(day)) for day in rng.uniform(0, days - 0.3, n)
    ]
    table = {
        "case_id": [f"{prefix}{site}{i}" for i in range(n)], "patient_id": [f"{prefix}{site}{i}" for i in range(n)],
        "study_time": [time.isoformat() for time in times], "site": [site] * n, "score": scores, "label": labels,
        "meta_sex": np.where(rng.random(n) < 0.5, "F", "M"), "q_snr": rng.normal(30 + 20 * shift, 3, n),
    }  # fmt: skip
    lines = [",".join(table)] + [",".join(str(table[name][i]) for name in table) for i in range(n)]
    return table, "\n".join(lines).encode()


@pytest.fixture
def watched():
    deployment = DeploymentFactory()
    for code in ("north", "south"):
        deployment.sites.add(SiteFactory(organisation=deployment.organisation, code=code))
    rng = np.random.default_rng(5)
    reference, content = rows(rng, start=(1, 1), n=600, days=20, site="north", prefix="r")
    accept_batch(deployment, content=content, media_type="text/csv", purpose="reference")
    freeze_reference(deployment, name="Acceptance", description="acceptance test cases", by=SYSTEM)
    freeze_plan(deployment, {"window_days": 14, "start": "2026-02-01", "limits": {"auroc": 0.6}}, by=SYSTEM)
    north, first = rows(rng, start=(2, 1), n=300, days=14, site="north")
    south, second = rows(rng, start=(2, 1), n=300, days=14, site="south", shift=0.15)
    for content in (first, second):
        summarise_batch(accept_batch(deployment, content=content, media_type="text/csv").pk)
    return deployment, reference, {"north": north, "south": south}


def current(deployment, **where):
    return FindingRecord.objects.get(deployment=deployment, superseded_by=None, **where)


def test_a_window_agrees_with_the_raw_values(watched):
    deployment, reference, sites = watched
    assert compute_due(deployment, today=TODAY) == 1
    for site, table in sites.items():
        ks = current(deployment, quantity="ks", signal="q_snr", stratum=f"site={site}")
        assert ks.value == pytest.approx(stats.ks_2samp(reference["q_snr"], table["q_snr"]).statistic, abs=0.01)
        w1 = current(deployment, quantity="w1_sd", signal="q_snr", stratum=f"site={site}")
        exact = stats.wasserstein_distance(reference["q_snr"], table["q_snr"]) / np.std(reference["q_snr"])
        assert w1.value == pytest.approx(exact, abs=0.02)
        auroc = current(deployment, quantity="auroc", stratum=f"site={site}")
        assert auroc.value == pytest.approx(roc_auc_score(table["label"], table["score"]), abs=1e-9)
        assert auroc.n_cases == 300
    assert current(deployment, quantity="w1_sd", signal="score", stratum="site=north").state == "ok"
    assert current(deployment, quantity="w1_sd", signal="score", stratum="site=south").state == "act"
    assert current(deployment, quantity="volume", stratum="").value == 600
    assert current(deployment, quantity="w1_sd", signal="score", stratum="").content["n_patients"] == 600


def test_evidently_stands_beside_our_verdict(watched):
    deployment, reference, sites = watched
    compute_due(deployment, today=TODAY)
    content = current(deployment, quantity="w1_sd", signal="q_snr", stratum="site=south").content
    opinion = content["details"]["second_opinion"]
    assert opinion["tool"].startswith("evidently") and opinion["drift"] is True
    assert opinion["value"] == pytest.approx(
        stats.ks_2samp(reference["q_snr"], sites["south"]["q_snr"]).pvalue, rel=1e-6
    )


def test_nothing_is_computed_twice_and_late_rows_compute_only_their_window(watched):
    deployment, _, _ = watched
    assert compute_due(deployment, today=TODAY) == 1
    assert compute_due(deployment, today=TODAY) == 0
    before = FindingRecord.objects.count()
    _, content = rows(np.random.default_rng(6), start=(2, 10), n=10, days=2, site="north", prefix="late")
    summarise_batch(accept_batch(deployment, content=content, media_type="text/csv").pk)
    assert compute_due(deployment, today=TODAY) == 1
    assert WindowRun.objects.get().revision == 2
    assert FindingRecord.objects.count() > before  # the old findings stay, superseded
    assert current(deployment, quantity="volume", stratum="").value == 610


def test_an_incomplete_window_waits(watched):
    deployment, _, _ = watched
    assert compute_due(deployment, today=date(2026, 2, 14)) == 0


def test_an_alarm_opens_once_and_asks_for_maps_only_when_there_are_images(watched):
    deployment, _, _ = watched
    compute_due(deployment, today=TODAY)
    alarm = Alarm.objects.get(signal="score", stratum="site=south")
    assert (alarm.quantity, alarm.finding_state, alarm.windows) == ("w1_sd", "act", 1)
    assert AuditEvent.objects.filter(action="alarm.open", subject_id=str(alarm.pk)).count() == 1
    _, content = rows(np.random.default_rng(7), start=(2, 15), n=300, days=14, site="south", shift=0.15, prefix="next")
    summarise_batch(accept_batch(deployment, content=content, media_type="text/csv").pk)
    assert compute_due(deployment, today=TODAY) == 1
    alarm.refresh_from_db()
    assert alarm.windows == 2
    assert Alarm.objects.filter(signal="score", stratum="site=south").count() == 1
    assert not Job.objects.filter(task="explainability.explain_cases").exists()


def test_an_alarm_is_closed_with_its_cause_and_stays_closed_for_that_window(watched):
    deployment, _, _ = watched
    compute_due(deployment, today=TODAY)
    alarm = Alarm.objects.get(signal="score", stratum="site=south")
    by = Actor(person_id=PersonFactory().pk, organisation_id=deployment.organisation_id, role="hospital_qa")
    with pytest.raises(InvalidInput, match="closed with its cause"):
        handle_alarm(alarm, status="closed", text="seen", by=by)
    with pytest.raises(InvalidInput, match="text is empty"):
        handle_alarm(alarm, status="closed", cause="acquisition", text=" ", by=by)
    handle_alarm(alarm, status="closed", cause="acquisition", text="New detector at this site.", by=by)
    with pytest.raises(InvalidInput, match="the alarm is closed"):
        handle_alarm(alarm, status="open", text="again", by=by)
    _, content = rows(np.random.default_rng(8), start=(2, 3), n=5, days=2, site="south", prefix="late")
    summarise_batch(accept_batch(deployment, content=content, media_type="text/csv").pk)
    compute_due(deployment, today=TODAY)
    assert Alarm.objects.filter(signal="score", stratum="site=south").count() == 1


def test_without_plan_or_reference_nothing_is_judged():
    deployment = DeploymentFactory(organisation__kind=Organisation.Kind.HOSPITAL)
    with pytest.raises(NotComputable, match="no monitoring plan"):
        compute_due(deployment, today=TODAY)
    freeze_plan(deployment, {}, by=SYSTEM)
    with pytest.raises(NotComputable, match="no reference set"):
        compute_due(deployment, today=TODAY)
    with pytest.raises(InvalidInput, match="no accepted rows"):
        freeze_reference(deployment, name="x", description="y", by=SYSTEM)


@pytest.mark.parametrize(
    "content",
    [{"window_days": 0}, {"windows": 3}, {"numeric": ["chi_square"]}, {"numeric": ["nope"]}, {"limits": {"nope": 1}},
     {"window_days": "soon"}, {"maps": {"cases": 99}}],
)  # fmt: skip
def test_a_plan_that_makes_no_sense_is_refused(content):
    with pytest.raises(InvalidInput):
        freeze_plan(DeploymentFactory(), content, by=SYSTEM)


def test_the_same_plan_again_is_no_new_revision():
    deployment = DeploymentFactory()
    first = freeze_plan(deployment, {"window_days": 7}, by=SYSTEM)
    assert freeze_plan(deployment, {"window_days": 7}, by=SYSTEM).pk == first.pk
    assert freeze_plan(deployment, {"window_days": 8}, by=SYSTEM).revision == 2
