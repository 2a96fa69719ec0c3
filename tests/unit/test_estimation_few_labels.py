"""PPI, audits, verification bias and sample sizes against closed forms and simulation; the estimate command."""

import io
import json

import numpy as np
import pandas as pd
import pytest
from django.core.management import CommandError, call_command
from scipy import special

from assurance.evidence.errors import InvalidInput, NotComputable
from monitoring.estimation.audit_sample import audit_estimate, audit_probabilities
from monitoring.estimation.prediction_powered import powered_mean, ppi
from monitoring.estimation.sample_size import cases_for_half_width, cases_to_see_change
from monitoring.estimation.verification_bias import begg_greenes


def test_without_tuning_the_powered_mean_is_the_classical_one():
    rng = np.random.default_rng(1)
    y, f = rng.random(80), rng.random(80)
    found = powered_mean(y, f, rng.random(500), tuning=0)
    assert found.value == pytest.approx(y.mean())
    assert found.variance == pytest.approx(y.var(ddof=1) / 80)


def test_the_powered_mean_by_its_formula():
    rng = np.random.default_rng(2)
    f_all = rng.normal(size=1000)
    y = f_all[:100] * 0.8 + rng.normal(0, 0.5, 100)
    found = powered_mean(y, f_all[:100], f_all[100:])
    tuning = np.cov(y, f_all[:100])[0, 1] / ((1 + 100 / 900) * f_all.var(ddof=1))
    assert found.tuning == pytest.approx(tuning)
    assert found.value == pytest.approx(tuning * f_all[100:].mean() + (y - tuning * f_all[:100]).mean())
    expected = (y - tuning * f_all[:100]).var(ddof=1) / 100 + tuning**2 * f_all[100:].var(ddof=1) / 900
    assert found.variance == pytest.approx(expected)


def test_good_predictions_are_worth_labels_and_bad_ones_cost_none():
    rng = np.random.default_rng(3)
    y = rng.normal(size=4000)
    good, bad = y + 0.3 * rng.normal(size=4000), rng.normal(size=4000)
    assert powered_mean(y[:200], good[:200], good[200:]).gain > 5
    assert powered_mean(y[:200], bad[:200], bad[200:]).gain == pytest.approx(1, abs=0.05)


def test_ppi_intervals_hold_the_truth_even_when_the_scores_mislead():
    rng = np.random.default_rng(4)
    held = dict.fromkeys(("accuracy", "sensitivity", "ppv"), 0)
    for _ in range(200):
        logits = rng.normal(0, 1.5, 1500)
        labels, scores = rng.random(1500) < special.expit(0.4 * logits), special.expit(2 * logits)  # overconfident
        for finding in ppi(labels[:150], scores[:150], scores[150:]):
            name = finding.quantity.removeprefix("powered_")
            if name in held:
                real = _truth_of(name)
                held[name] += finding.interval.low <= real <= finding.interval.high
    assert all(0.90 <= count / 200 <= 0.99 for count in held.values()), held


def _truth_of(name, _cache={}):  # noqa: B006
    if not _cache:
        logits = np.random.default_rng(5).normal(0, 1.5, 2_000_000)
        p, called = special.expit(0.4 * logits), logits >= 0
        _cache.update(
            accuracy=np.where(called, p, 1 - p).mean(), sensitivity=p[called].sum() / p.sum(), ppv=p[called].mean()
        )
    return _cache[name]


def test_too_few_labels_are_insufficient_and_unanimous_ones_keep_a_width():
    rng = np.random.default_rng(6)
    few = ppi((rng.random(30) < 0.5), rng.random(30), rng.random(300))
    assert {finding.state for finding in few} == {"insufficient"}
    unanimous = next(
        f for f in ppi(np.ones(60), np.full(60, 0.9), rng.random(300)) if f.quantity == "powered_prevalence"
    )
    assert unanimous.interval.low < 0.95


def test_begg_greenes_gives_the_published_correction():
    found = begg_greenes(
        called_with=26, called_without=11, spared_with=7, spared_without=44, called_unverified=30, spared_unverified=782
    )
    assert [finding.value for finding in found] == pytest.approx([0.2916782943573143, 0.9730309942305112], rel=1e-6)
    assert [finding.details["naive"] for finding in found] == pytest.approx([0.7878787878787878, 0.8], rel=1e-6)


def test_full_verification_needs_no_correction():
    found = begg_greenes(
        called_with=40, called_without=10, spared_with=20, spared_without=130, called_unverified=0, spared_unverified=0
    )
    assert [finding.value for finding in found] == pytest.approx([40 / 60, 130 / 140])
    # with everybody verified the variance is that of a plain logit: 1/40 + 1/20
    reach = 1.959964 * (1 / 40 + 1 / 20) ** 0.5
    assert found[0].interval.low == pytest.approx(special.expit(special.logit(40 / 60) - reach), rel=1e-5)


def test_without_verified_negatives_nothing_is_identified():
    found = begg_greenes(
        called_with=40, called_without=10, spared_with=0, spared_without=0, called_unverified=0, spared_unverified=150
    )
    assert all(finding.value is None and "no negative call was verified" in finding.reason for finding in found)


def test_audit_chances_follow_the_budget_the_spread_and_the_floors():
    spread = np.r_[np.zeros(900), np.full(100, 0.5)]
    chances = audit_probabilities(spread, budget=100)
    assert chances.sum() == pytest.approx(100)
    assert chances.min() >= 0.2 * 0.1
    assert chances[950] > 5 * chances[0]
    sites = np.r_[np.full(980, "large"), np.full(20, "small")]
    floored = audit_probabilities(np.zeros(1000), budget=50, groups=sites, group_floor=10)
    assert floored[sites == "small"].sum() == pytest.approx(10)
    assert audit_probabilities(np.ones(10), budget=10) == pytest.approx(np.ones(10))


@pytest.mark.parametrize("with_predictions", [True, False])
def test_audit_estimates_are_unbiased_and_their_intervals_hold(with_predictions):
    rng = np.random.default_rng(7)
    p = rng.beta(1, 4, 3000)
    held, found = 0, []
    for _ in range(200):
        y = (rng.random(3000) < p).astype(float)
        chances = audit_probabilities(np.sqrt(p * (1 - p)), budget=300)
        finding = audit_estimate(y, chances, rng.random(3000) < chances, p if with_predictions else None)
        found.append(finding.value)
        held += finding.interval.low <= 0.2 <= finding.interval.high
    assert np.mean(found) == pytest.approx(p.mean(), abs=0.006)
    assert held / 200 >= 0.89


def test_a_case_that_cannot_be_drawn_is_refused():
    with pytest.raises(InvalidInput, match="cannot be drawn"):
        audit_estimate([1.0, 0], [0.5, 0], [True, False])
    with pytest.raises(NotComputable, match="1 cases were read"):
        audit_estimate([1.0, 0], [0.5, 0.5], [True, False])


def test_sample_sizes_are_those_of_the_tables():
    assert [cases_for_half_width(0.9, h, interval="wald") for h in (0.1, 0.05, 0.03)] == [35, 139, 385]
    pairs = ((0.9, 0.8), (0.9, 0.85), (0.95, 0.9))
    assert [cases_to_see_change(*pair) for pair in pairs] == [86, 316, 185]


def write(folder, name, n, seed, **changes):
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, n)
    columns = {"label": (rng.random(n) < special.expit(logits)).astype(float), "score": special.expit(logits)}
    columns |= {"q_noise": rng.normal(size=n)} | changes
    file = folder / name
    pd.DataFrame({key: value for key, value in columns.items() if value is not None}).to_csv(file, index=False)
    return str(file)


def run(*arguments):
    out = io.StringIO()
    call_command("estimate", *arguments, stdout=out, stderr=io.StringIO())
    return out.getvalue()


def test_the_command_estimates_without_and_with_few_labels(tmp_path):
    reference = write(tmp_path, "reference.csv", 400, 1)
    bare = write(tmp_path, "bare.csv", 300, 2, label=None)
    document = json.loads(run("--reference", reference, "--current", bare, "--json", "--replicates", "20"))
    by_key = {key: [f for f in document["findings"] if f["method"]["key"] == key] for key in ("cbpe", "ppi")}
    assert all(finding["value"] is not None for finding in by_key["cbpe"])
    assert "0 rows with" in by_key["ppi"][0]["reason"]
    labels = np.r_[np.tile([0.0, 1.0], 40), np.full(220, np.nan)]
    partly = write(tmp_path, "partly.csv", 300, 3, label=labels)
    document = json.loads(run("--reference", reference, "--current", partly, "--json", "--replicates", "20"))
    assert sum(f["method"]["key"] == "ppi" and f["value"] is not None for f in document["findings"]) == 7


def test_the_command_weighs_the_reference_when_asked(tmp_path):
    files = write(tmp_path, "reference.csv", 400, 1), write(tmp_path, "current.csv", 300, 2, label=None)
    document = json.loads(
        run("--reference", files[0], "--current", files[1], "--json", "--method", "m_cbpe", "--replicates", "5")
    )
    assert {f["method"]["key"] for f in document["findings"]} == {"m_cbpe"}
    assert document["findings"][0]["details"]["effective_sample_size"] > 100


@pytest.mark.parametrize(
    ("method", "part"), [("magic", "choose one of cbpe"), ("begg_greenes", "does not work on two")]
)
def test_the_command_refuses_an_estimator_it_cannot_run(tmp_path, method, part):
    file = write(tmp_path, "reference.csv", 100, 1)
    with pytest.raises(CommandError, match=part) as error:
        run("--reference", file, "--current", file, "--method", method)
    assert error.value.returncode == 2
