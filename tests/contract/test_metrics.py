"""Every performance metric keeps one contract."""

import importlib
import json

import numpy as np
import pytest

from assurance.evidence.errors import InvalidInput
from assurance.evidence.finding import Finding, State
from assurance.metrics.catalogue import METRICS

RNG = np.random.default_rng(21)
SCORES = RNG.random(400)
LABELS = (RNG.random(400) < SCORES).astype(float)
DISC = np.hypot(*np.meshgrid(np.arange(24) - 11, np.arange(24) - 12)) < 8
SHIFTED = np.roll(DISC, 2, axis=0)
INPUTS = {
    "labels_scores": (LABELS, SCORES),
    "masks": (DISC, SHIFTED),
    "boxes": (np.array([2.0, 2, 8, 9]), np.array([3.0, 2, 9, 9])),
    "points": (RNG.random((6, 3)), RNG.random((6, 3))),
    "case_values": (RNG.beta(8, 2, 90),),
}
NEEDED = {"spacing_mm": {"masks": (1.0, 2.0), "boxes": (1.0, 2.0), "points": (1.0, 2.0, 3.0)}, "tolerance_mm": 2.0}


def call(key, *inputs):
    kind = METRICS[key].facts["input"]
    needs = {name: NEEDED[name] for name in METRICS[key].facts.get("needs", ())}
    if "spacing_mm" in needs:
        needs["spacing_mm"] = NEEDED["spacing_mm"][kind]
    return METRICS.load(key)(*(inputs or INPUTS[kind]), **needs)


@pytest.mark.parametrize("key", METRICS)
def test_a_metric_gives_a_whole_finding(key):
    finding = call(key)
    assert isinstance(finding, Finding)
    assert finding.state is State.OK
    assert finding.quantity == key
    assert finding.method.key == key
    assert finding.unit == METRICS[key].facts["unit"]
    assert len(finding.input_digest) == 64
    assert json.dumps(finding.as_dict(), allow_nan=False)
    assert len(finding.digest()) == 64


@pytest.mark.parametrize("key", METRICS)
def test_a_metric_of_many_cases_has_an_interval(key):
    if METRICS[key].facts["input"] not in ("labels_scores", "case_values"):
        pytest.skip("one case has no sampling interval")
    finding = call(key)
    assert finding.interval.low < finding.interval.high
    assert finding.n_cases > 1


@pytest.mark.parametrize("key", METRICS)
def test_a_metric_gives_the_same_twice_and_only_reads(key):
    inputs = INPUTS[METRICS[key].facts["input"]]
    before = [values.copy() for values in inputs]
    assert call(key).digest() == call(key).digest()
    assert all(np.array_equal(old, new) for old, new in zip(before, inputs, strict=True))


@pytest.mark.parametrize("key", METRICS)
def test_the_order_of_cases_does_not_matter(key):
    inputs = INPUTS[METRICS[key].facts["input"]]
    if METRICS[key].facts["input"] not in ("labels_scores", "case_values", "points"):
        pytest.skip("one case")
    order = np.random.default_rng(3).permutation(len(inputs[0]))
    assert call(key, *[values[order] for values in inputs]).value == pytest.approx(call(key).value)


@pytest.mark.parametrize("key", METRICS)
def test_words_and_lists_of_lists_are_refused(key):
    inputs = INPUTS[METRICS[key].facts["input"]]
    for bad in (["a", "b"], [[[["x"]]]], np.full((2, 2, 2, 2), np.nan)):
        with pytest.raises((InvalidInput, ValueError)):
            call(key, *[bad] * len(inputs))


@pytest.mark.parametrize("key", METRICS)
def test_every_entry_names_a_source_and_documents_it(key):
    module, _, name = METRICS[key].target.partition(":")
    assert METRICS[key].source
    assert "References" in (getattr(importlib.import_module(module), name).__doc__ or "") or "See :func:" in (
        getattr(importlib.import_module(module), name).__doc__
    )
