"""Strata, embeddings, software updates and the context of a window, from stored rows to findings."""

import base64
import json
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from assurance.evidence.errors import InvalidInput
from assurance.models import FindingRecord
from monitoring.models import Alarm
from monitoring.services.day_states import summarise_batch
from monitoring.services.intake import accept_batch
from monitoring.services.plans import freeze_plan
from monitoring.services.references import freeze_reference
from monitoring.services.windows import compute_due
from records.actor import SYSTEM
from tests.factories import DeploymentFactory, SiteFactory

pytestmark = pytest.mark.django_db
TODAY = date(2026, 4, 1)


def rows(rng, *, start, n, days, site, prefix, images=0.0, prevalence=0.3, software="VB41", old=0.4):
    """Images of six numbers, of which the last four tell only how they were acquired; noise grows with age."""
    truth = (rng.random(n) < prevalence).astype(int)
    vectors = rng.normal(size=(n, 6))
    vectors[truth == 1, :2] += 1.2
    vectors[:, 2:] += images
    scores = 1 / (1 + np.exp(-(1.4 * vectors[:, :2].sum(axis=1) - 1.7 - 0.85)))
    ages = np.where(rng.random(n) < old, 75, 50)
    days_in = np.sort(rng.uniform(0, days - 0.3, n))
    times = [datetime(2026, *start, 6, tzinfo=UTC) + timedelta(days=float(day)) for day in days_in]
    versions = [software] * n if isinstance(software, str) else [software[int(day >= days / 2)] for day in days_in]
    table = {
        "case_id": [f"{prefix}{i}" for i in range(n)], "patient_id": [f"{prefix}{i}" for i in range(n)],
        "study_time": [time.isoformat() for time in times], "site": [site] * n, "score": scores, "label": truth,
        "meta_sex": np.where(rng.random(n) < 0.5, "F", "M"), "meta_age": ages,
        "q_noise": rng.normal(np.where(ages > 65, 14, 10), 2), "meta_software_versions": versions,
    } | {f"emb_{k}": vectors[:, k] for k in range(6)}  # fmt: skip
    lines = [",".join(table)] + [",".join(str(table[name][i]) for name in table) for i in range(n)]
    return "\n".join(lines).encode()


def deployed(plan, **window):
    deployment = DeploymentFactory()
    deployment.sites.add(SiteFactory(organisation=deployment.organisation, code="north"))
    rng = np.random.default_rng(7)
    content = rows(rng, start=(1, 1), n=900, days=20, site="north", prefix="r")
    accept_batch(deployment, content=content, media_type="text/csv", purpose="reference")
    freeze_reference(deployment, name="Acceptance", description="acceptance test cases", by=SYSTEM)
    usual = {"window_days": 28, "start": "2026-02-01", "second_opinion": False, "permutations": 199}
    freeze_plan(deployment, usual | plan, by=SYSTEM)
    content = rows(rng, start=(2, 1), n=700, days=28, site="north", prefix="c", **window)
    summarise_batch(accept_batch(deployment, content=content, media_type="text/csv").pk)
    compute_due(deployment, today=TODAY)
    return deployment


def found(deployment, **where):
    return FindingRecord.objects.get(deployment=deployment, superseded_by=None, **where)


def test_new_images_with_new_software_are_covariate_shift_with_a_marker_and_drivers():
    deployment = deployed(
        {"alarm_on": ["w1_sd", "rff_mmd"], "permutations": 999}, images=0.6, software=("VB41", "VB50")
    )
    mmd = found(deployment, quantity="rff_mmd", stratum="")
    assert (mmd.state, mmd.family, mmd.signal) == ("act", "input", "embedding")
    assert found(deployment, quantity="c2st", stratum="").content["interval"]["low"] > 0.65
    kind = found(deployment, quantity="shift_kind")
    assert kind.content["details"]["kind"] == "covariate"
    assert abs(kind.value) < 0.06
    update = found(deployment, quantity="software_update")
    assert update.content["details"]["from"] == "VB41" and update.content["details"]["to"] == "VB50"
    words = mmd.content["details"]["words"]
    assert "software changed from VB41 to VB50" in words and "images changed" in words
    drivers = found(deployment, quantity="drivers").content["details"]["drivers"]
    assert drivers[0]["feature"] == "meta_software_versions"
    assert Alarm.objects.filter(deployment=deployment, signal="embedding").count() == 1


def test_older_patients_explain_the_noise_and_sex_strata_are_judged_apart():
    deployment = deployed({"strata": [["sex"], ["sex", "age"]]}, old=0.9)
    noise = found(deployment, quantity="w1_sd", signal="q_noise", stratum="")
    assert noise.state in ("watch", "act")
    usual = noise.content["details"]["standardised"]
    assert usual["explained"] > 0.7 and usual["factors"] == ["age", "sex"]
    assert "goes with another mix of patients" in noise.content["details"]["words"]
    for sex in ("F", "M"):
        stratum = found(deployment, quantity="w1_sd", signal="q_noise", stratum=f"sex={sex}")
        assert stratum.content["n_reference"] + 0 > 300 and stratum.n_cases > 250
        within = found(deployment, quantity="w1_sd", signal="q_noise", stratum=f"age=65 and over;sex={sex}")
        assert within.state != "act"
    assert "p_adjusted" in noise.content["details"]
    assert found(deployment, quantity="concordance").value < 0


def test_a_stratum_too_small_to_judge_says_so():
    deployment = deployed({"strata": [["age"]], "minimum_stratum": 400}, old=0.9)
    small = found(deployment, quantity="stratum", stratum="age=40-64")
    assert small.state == "insufficient" and "400 of each are needed" in small.content["reason"]


def test_another_prevalence_is_told_from_new_images():
    deployment = deployed({}, prevalence=0.65)
    kind = found(deployment, quantity="shift_kind")
    assert kind.content["details"]["kind"] == "prevalence"
    assert kind.value == pytest.approx(0.35, abs=0.08)
    score = found(deployment, quantity="w1_sd", signal="score", stratum="")
    assert "No device alarm unless sensitivity or specificity move" in score.content["details"]["words"]


def test_windows_by_month_and_by_cases_are_computed_as_the_plan_says():
    monthly = deployed({"window": "month"})
    assert found(monthly, quantity="volume", stratum="").window_start.date() == date(2026, 2, 1)
    assert found(monthly, quantity="volume", stratum="").window_end.date() == date(2026, 3, 1)
    by_cases = deployed({"window": "cases", "window_cases": 200, "context": False, "embedding": []})
    volumes = FindingRecord.objects.filter(deployment=by_cases, quantity="volume", stratum="").order_by("window_start")
    assert len(volumes) == 3 and all(200 <= one.value < 240 for one in volumes)


def test_embeddings_of_another_model_are_an_outcome_of_the_window():
    deployment = deployed({})
    short = base64.b64encode(np.zeros(4, dtype="<f2").tobytes()).decode()
    row = {"case_id": "x1", "patient_id": "x1", "study_time": "2026-03-02T10:00:00Z", "site": "north", "score": 0.4}
    line = json.dumps(row | {"embedding": short})
    try:
        summarise_batch(accept_batch(deployment, content=line.encode(), media_type="application/x-ndjson").pk)
    except InvalidInput as refusal:  # refused at the door is as clear
        assert "embedding" in refusal.message
        return
    compute_due(deployment, today=TODAY)
    assert FindingRecord.objects.filter(deployment=deployment, quantity="volume", stratum="").count() >= 1


@pytest.mark.parametrize(
    "content",
    [{"window": "fortnight"}, {"family_control": "hope"}, {"strata": [["sex", "sex"]]}, {"strata": [[]]},
     {"embedding": ["ks"]}, {"scores": ["rff_mmd"]}, {"window": "cases", "window_cases": 1}, {"permutations": 5}],
)  # fmt: skip
def test_a_plan_that_makes_no_sense_is_refused(content):
    with pytest.raises(InvalidInput):
        freeze_plan(DeploymentFactory(), content, by=SYSTEM)
