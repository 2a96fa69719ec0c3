"""What every drift detector promises."""

import inspect

import numpy as np
import pytest

from assurance.evidence.errors import InvalidInput
from assurance.evidence.finding import Finding
from monitoring.drift.catalogue import DETECTORS


@pytest.fixture(params=list(DETECTORS))
def key(request):
    return request.param


def sample(key, *, shift=0.0):
    rng = np.random.default_rng(1)
    values = rng.normal(shift, 1, size=600)
    return np.where(values > 0, "up", "down") if key == "chi_square" else values


def test_it_answers_with_a_finding_that_tells_method_parameters_and_sizes(key):
    finding = DETECTORS.load(key)(sample(key), sample(key, shift=1.0), seed=7)
    assert isinstance(finding, Finding)
    assert finding.quantity == finding.method.key == key
    assert (finding.n_cases, finding.n_reference) == (600, 600)
    assert {"alpha_watch", "alpha_act", "watch", "act"} <= set(finding.method.parameters)
    assert finding.null.p_value is not None
    assert set(finding.null.quantiles) >= {"0.95", "0.99", "0.999"}
    assert finding.minimum_n
    finding.digest()


def test_it_takes_the_levels_by_name_only(key):
    parameters = inspect.signature(DETECTORS.load(key)).parameters
    assert list(parameters)[:2] == ["reference", "current"]
    assert all(p.kind is p.KEYWORD_ONLY for name, p in parameters.items() if name not in ("reference", "current"))


def test_it_does_not_change_what_it_is_given(key):
    reference, current = sample(key), sample(key, shift=0.5)
    before = reference.copy(), current.copy()
    DETECTORS.load(key)(reference, current)
    assert (reference == before[0]).all()
    assert (current == before[1]).all()


def test_it_is_the_same_whatever_the_order_of_cases(key):
    rng = np.random.default_rng(3)
    reference, current = sample(key), sample(key, shift=0.5)
    one = DETECTORS.load(key)(reference, current)
    two = DETECTORS.load(key)(rng.permutation(reference), rng.permutation(current))
    assert one.digest() == two.digest()


def test_words_where_numbers_belong_are_refused(key):
    if DETECTORS[key].facts["signals"] != "numeric":
        pytest.skip("reads words by design")
    with pytest.raises(InvalidInput, match="give numbers only"):
        DETECTORS.load(key)([1.0, 2.0], ["a", "b"])


def test_it_names_its_source(key):
    assert DETECTORS[key].source
    assert DETECTORS[key].title
