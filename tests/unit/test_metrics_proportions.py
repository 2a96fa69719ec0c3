"""Intervals of shares against statsmodels, and shares of the two-by-two table by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from assurance.evidence.errors import InvalidInput, NotComputable
from assurance.metrics.confusion import accuracy, npv, ppv, sensitivity, specificity
from assurance.metrics.proportions import clopper_pearson, design_effect, jeffreys, wilson

PEERS = [(wilson, "wilson"), (clopper_pearson, "beta")]


def test_the_worked_examples():
    def ends(span):
        return span.low, span.high

    assert ends(wilson(18, 20)) == pytest.approx((0.6989663547715127, 0.9721335187862318), abs=1e-9)
    assert ends(clopper_pearson(18, 20)) == pytest.approx((0.6830172859809177, 0.9876514728297052), abs=1e-9)
    assert ends(jeffreys(18, 20)) == pytest.approx((0.7161467426957477, 0.9786275119775252), abs=1e-9)
    assert ends(wilson(20, 20)) == pytest.approx((0.8388748419471804, 1.0), abs=1e-9)


@given(st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.sampled_from(PEERS))
def test_intervals_agree_with_statsmodels(counts, peer):
    ours, name = peer
    low, high = proportion_confint(*counts, method=name)
    span = ours(*counts)
    assert (span.low, span.high) == pytest.approx((max(low, 0), min(high, 1)), abs=1e-9)


def test_shares_of_a_table_worked_out_by_hand():
    # called: cases 0, 1, 2 and 5; with finding: 0, 1, 2, 3
    labels, scores = [1, 1, 1, 1, 0, 0, 0, 0, 0, 0], [0.9, 0.8, 0.5, 0.2, 0.1, 0.6, 0.2, 0.3, 0.4, 0.49]
    assert sensitivity(labels, scores).value == pytest.approx(3 / 4)
    assert specificity(labels, scores).value == pytest.approx(5 / 6)
    assert ppv(labels, scores).value == pytest.approx(3 / 4)
    assert npv(labels, scores).value == pytest.approx(5 / 6)
    assert accuracy(labels, scores).value == pytest.approx(8 / 10)
    assert ppv(labels, scores).details["prevalence"] == pytest.approx(0.4)


def test_an_exact_interval_can_be_asked_for():
    span = sensitivity([1] * 20 + [0], [0.9] * 18 + [0.1] * 3, interval="clopper_pearson").interval
    assert span.low == pytest.approx(0.6830172859809177)


def test_too_few_events_are_insufficient_but_keep_their_value():
    finding = sensitivity([1, 1, 0], [0.9, 0.1, 0.1])
    assert finding.state == "insufficient"
    assert finding.value == 0.5
    assert "2 cases with the finding" in finding.reason


def test_no_positive_call_leaves_no_predictive_value():
    with pytest.raises(NotComputable, match="no cases called positive"):
        ppv([1, 0], [0.1, 0.2])


def test_copies_of_each_case_count_once():
    hits = np.repeat([True, False, True, True, False], 4)
    assert design_effect(hits, np.repeat(np.arange(5), 4)) == pytest.approx(4 * 5 / 4)  # 4 copies, 5/(5-1) patients
    assert design_effect(np.ones(12, bool), np.repeat(np.arange(4), 3)) == 3
    rng = np.random.default_rng(1)
    independent = rng.random(5000) < 0.3
    assert design_effect(independent, np.arange(5000)) == pytest.approx(1, abs=0.01)


def test_patients_widen_the_interval():
    labels, scores = np.ones(60), np.repeat([0.9, 0.9, 0.1, 0.9, 0.2, 0.8], 10)
    alone = sensitivity(labels, scores).interval
    grouped = sensitivity(labels, scores, patients=np.repeat(np.arange(6), 10)).interval
    assert grouped.high - grouped.low > 2 * (alone.high - alone.low)


@pytest.mark.parametrize(("successes", "n"), [(1, 0), (-1, 5), (6, 5)])
def test_counts_that_are_no_share_are_refused(successes, n):
    with pytest.raises(InvalidInput, match="no proportion"):
        wilson(successes, n)
