"""What every drift detector promises."""

import inspect

import numpy as np
import pytest

from assurance.evidence.errors import InvalidInput
from assurance.evidence.finding import Finding, State
from monitoring.drift.catalogue import DETECTORS, suited

FEW = {"rff_mmd": {"permutations": 199}, "c2st": {"permutations": 199}, "frechet": {"permutations": 99}}
CASES = [(key, kind) for key in DETECTORS for kind in DETECTORS[key].facts["signals"]]


@pytest.fixture(params=CASES, ids=lambda case: "-".join(case))
def case(request):
    return request.param


def sample(kind, *, shift=0.0, n=600, seed=1):
    rng = np.random.default_rng(seed)
    if kind == "categorical":
        return np.where(rng.normal(shift, 1, size=n) > 0, "up", "down")
    if kind == "numeric":
        return rng.normal(shift, 1, size=n)
    return rng.normal(shift, 1, size=(n, 6))


def detect(case, reference, current, **more):
    return DETECTORS.load(case[0])(reference, current, **{**FEW.get(case[0], {}), **more})


def test_it_answers_with_a_finding_that_tells_method_parameters_and_sizes(case):
    key, kind = case
    finding = detect(case, sample(kind), sample(kind, shift=1.0, seed=2), seed=7)
    assert isinstance(finding, Finding)
    assert finding.quantity == finding.method.key == key
    assert (finding.n_cases, finding.n_reference) == (600, 600)
    assert {"alpha_watch", "alpha_act", "watch", "act"} <= set(finding.method.parameters)
    assert 0 < finding.null.p_value <= 0.01
    assert set(finding.null.quantiles) >= {"0.5", "0.95", "0.99", "0.999"}
    assert list(finding.null.quantiles.values()) == sorted(finding.null.quantiles.values())
    assert finding.minimum_n
    assert finding.state in (State.ACT, State.WATCH)
    finding.digest()


def test_no_change_is_not_called_one(case):
    finding = detect(case, sample(case[1]), sample(case[1], seed=2))
    assert finding.state in (State.OK, State.INSUFFICIENT)
    assert finding.null.p_value > 0.01


def test_it_takes_the_levels_by_name_only(case):
    parameters = inspect.signature(DETECTORS.load(case[0])).parameters
    assert list(parameters)[:2] == ["reference", "current"]
    assert all(p.kind is p.KEYWORD_ONLY for name, p in parameters.items() if name not in ("reference", "current"))
    assert {"alpha_watch", "alpha_act", "seed"} <= set(parameters)


def test_it_does_not_change_what_it_is_given(case):
    reference, current = sample(case[1]), sample(case[1], shift=0.5, seed=2)
    before = reference.copy(), current.copy()
    detect(case, reference, current)
    assert (reference == before[0]).all()
    assert (current == before[1]).all()


def test_it_is_the_same_whatever_the_order_of_cases(case):
    rng = np.random.default_rng(3)
    reference, current = sample(case[1]), sample(case[1], shift=0.5, seed=2)
    one = detect(case, reference, current)
    two = detect(case, rng.permutation(reference), rng.permutation(current))
    assert one.digest() == two.digest()


def test_bad_windows_are_outcomes_not_crashes(case):
    kind = case[1]
    good = sample(kind)
    empty = {"numeric": [], "categorical": []}.get(kind, np.empty((0, 6)))
    absent = {"numeric": [np.nan] * 30, "categorical": [None] * 1}.get(kind, np.full((30, 6), np.nan))
    one = good[:1]
    for current in (empty, absent, one):
        finding = detect(case, good, current)
        assert finding.state is State.INSUFFICIENT and finding.reason
    same = {"numeric": np.ones(400), "categorical": ["a"] * 400}.get(kind, np.ones((400, 6)))
    constant = detect(case, same, same)
    if kind == "scores":  # equal scores of every case are a degenerate but honest output
        assert constant.state is State.INSUFFICIENT
    assert constant.value is None
    assert "nothing can change" in constant.reason or "no spread" in constant.reason


def test_infinity_and_nan_count_as_missing(case):
    kind = case[1]
    if kind == "categorical":
        pytest.skip("reads words: missing is a level of its own")
    holed = sample(kind, seed=2).copy()
    holed[:60] = np.nan
    holed[60:90] = np.inf
    finding = detect(case, sample(kind), holed)
    whole = finding.details["missing_share"]
    assert whole == pytest.approx(90 / 600)


def test_words_where_numbers_belong_are_refused(case):
    key, kind = case
    if "categorical" in DETECTORS[key].facts["signals"]:
        pytest.skip("reads words by design")
    good = sample(kind, n=20)
    words = np.full(good.shape, "a")
    with pytest.raises(InvalidInput, match="give numbers only"):
        detect(case, good, words)


def test_vectors_of_another_width_are_refused(case):
    if case[1] in ("numeric", "categorical"):
        pytest.skip("reads one value per case")
    with pytest.raises(InvalidInput, match="6 wide and current 5"):
        detect(case, sample(case[1]), sample(case[1], seed=2)[:, :5])


@pytest.mark.parametrize("key", list(DETECTORS))
def test_it_names_its_source(key):
    assert DETECTORS[key].source
    assert DETECTORS[key].title


def test_every_kind_of_signal_has_detectors():
    assert {kind: bool(suited(kind)) for kind in ("numeric", "categorical", "embedding", "scores")} == dict.fromkeys(
        ("numeric", "categorical", "embedding", "scores"), True
    )
