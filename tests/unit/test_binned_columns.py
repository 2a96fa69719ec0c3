"""Counting at memory speed gives what the careful way gives."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assurance.evidence.errors import InvalidInput
from monitoring.drift.binned import BinnedState
from monitoring.drift.binned_columns import ColumnCounter, window_statistics
from monitoring.drift.js import js
from monitoring.drift.ks import ks
from monitoring.drift.psi import psi
from monitoring.drift.state import digest
from monitoring.drift.w1_sd import w1_sd

NUMBERS = st.floats(-0.5, 1.5) | st.sampled_from([0.0, 1.0, 0.5, float("nan"), float("inf"), float("-inf")])


@given(st.lists(NUMBERS, max_size=60), st.integers(0, 60))
@settings(max_examples=80, deadline=None)
def test_chunks_give_the_state_of_all_values(values, cut):
    counter = ColumnCounter(low=0.0, high=1.0, bins=64)
    for part in (values[:cut], values[cut:]):
        counter.add(np.array(part, dtype=np.float64))
    assert digest(counter.result()) == digest(BinnedState.from_values(values, bins=64))


def test_statistics_of_many_windows_are_those_of_the_detectors():
    rng = np.random.default_rng(0)
    reference = BinnedState.from_values(rng.beta(2, 5, 5000))
    windows = [BinnedState.from_values(rng.beta(2 + shift, 5, 400)) for shift in (0.0, 0.2, 0.5, 1.0)]
    found = window_statistics(reference, windows)
    for place, window in enumerate(windows):
        for key, detector in (("w1_sd", w1_sd), ("ks", ks), ("psi", psi), ("js", js)):
            assert getattr(found, key)[place] == pytest.approx(float(detector(reference, window)), rel=1e-9), key


def test_other_bins_are_refused():
    reference = BinnedState.from_values([0.1, 0.2])
    with pytest.raises(InvalidInput, match="equal bounds and bins"):
        window_statistics(reference, [BinnedState.from_values([0.1], bins=10)])
    with pytest.raises(InvalidInput, match="must be below high"):
        ColumnCounter(low=1, high=1, bins=10)
