"""Every estimator of performance without, or with few, labels keeps one contract."""

import json

import numpy as np
import pytest
from scipy import special

from assurance.evidence.errors import InvalidInput, NotComputable
from assurance.evidence.finding import Finding, State
from monitoring.estimation.catalogue import ESTIMATORS

RNG = np.random.default_rng(31)
COUNTS = {
    "called_with": 26, "called_without": 11, "spared_with": 7, "spared_without": 44, "called_unverified": 30,
    "spared_unverified": 782,
}  # fmt: skip
FREE = [key for key, entry in ESTIMATORS.items() if entry.facts["input"] == "label_free"]


def window(n, mean):
    logits = RNG.normal(mean, 1.5, n)
    return (RNG.random(n) < special.expit(logits)).astype(float), special.expit(logits)


REFERENCE, CURRENT = window(600, -0.3), window(500, -0.3)
INPUTS = {
    "label_free": (*REFERENCE, CURRENT[1]),
    "few_labels": (CURRENT[0][:120], CURRENT[1][:120], CURRENT[1][120:]),
    "counts": (),
    "audit": (CURRENT[0], np.full(500, 0.3), RNG.random(500) < 0.3),
}


def call(key, *inputs):
    options = dict(COUNTS) if ESTIMATORS[key].facts["input"] == "counts" else {}
    if "reference_features" in ESTIMATORS[key].facts["needs"]:
        features = np.random.default_rng(5).normal(size=(1100, 3))
        options = {"reference_features": features[:600], "current_features": features[600:]}
    found = ESTIMATORS.load(key)(*(inputs or INPUTS[ESTIMATORS[key].facts["input"]]), **options)
    return found if isinstance(found, list) else [found]


@pytest.mark.parametrize("key", ESTIMATORS)
def test_an_estimator_gives_whole_findings(key):
    findings = call(key)
    assert findings
    for finding in findings:
        assert isinstance(finding, Finding)
        assert finding.method.key == key
        assert finding.value is not None
        assert 0 <= finding.value <= 1
        assert finding.interval is not None
        assert json.dumps(finding.as_dict(), allow_nan=False)
        assert len(finding.digest()) == 64


@pytest.mark.parametrize("key", ESTIMATORS)
def test_an_estimator_gives_the_same_twice_and_only_reads(key):
    inputs = INPUTS[ESTIMATORS[key].facts["input"]]
    before = [np.array(values) for values in inputs]
    assert [f.digest() for f in call(key)] == [f.digest() for f in call(key)]
    assert all(np.array_equal(old, new) for old, new in zip(before, inputs, strict=True))


@pytest.mark.parametrize("key", FREE)
def test_without_labels_no_estimator_can_clear_or_act(key):
    low = np.full(500, 0.45) + np.linspace(0, 0.1, 500)
    for finding in [*call(key), *call(key, *REFERENCE, low)]:
        assert finding.state is not State.ACT
        assert finding.details["badge"] == "estimated, unlabelled"
        assert finding.details["clears_alarm"] is False


@pytest.mark.parametrize("key", FREE)
def test_a_reference_that_teaches_nothing_is_not_computable(key):
    for labels in (np.ones(600), np.zeros(600)):
        with pytest.raises(NotComputable, match="one class"):
            call(key, labels, REFERENCE[1], CURRENT[1])
    with pytest.raises(NotComputable, match="50 are needed"):
        call(key, REFERENCE[0][:20], REFERENCE[1][:20], CURRENT[1])


@pytest.mark.parametrize("key", FREE)
def test_scores_that_are_no_probabilities_are_refused(key):
    with pytest.raises(InvalidInput, match="every value must lie"):
        call(key, REFERENCE[0], REFERENCE[1] * 2, CURRENT[1])
    with pytest.raises(InvalidInput, match="finite"):
        call(key, REFERENCE[0], REFERENCE[1], np.full(500, np.nan))


@pytest.mark.parametrize("key", ESTIMATORS)
def test_every_entry_names_its_source(key):
    assert ESTIMATORS[key].source
    assert "References" in (ESTIMATORS.load(key).__doc__ or "")
