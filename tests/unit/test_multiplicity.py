"""Adjusted p-values against statsmodels and the known answers."""

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from assurance.evidence.errors import InvalidInput
from monitoring.drift.multiplicity import adjusted

P = [0.001, 0.008, 0.039, 0.041, 0.042, 0.06, 0.074, 0.205, 0.212, 0.216]


def test_known_answer_of_benjamini_hochberg():
    expected = [0.01, 0.04, 0.084, 0.084, 0.084, 0.1, 0.10571428571428572, 0.216, 0.216, 0.216]
    assert adjusted(P, method="bh") == pytest.approx(expected, rel=1e-9)
    assert (adjusted(P, method="bh") <= 0.05).sum() == 2


@pytest.mark.parametrize(
    ("ours", "theirs"), [("bh", "fdr_bh"), ("by", "fdr_by"), ("holm", "holm"), ("bonferroni", "bonferroni")]
)
def test_it_agrees_with_statsmodels(ours, theirs):
    p = np.random.default_rng(0).random(40) ** 3
    assert adjusted(p, method=ours) == pytest.approx(multipletests(p, method=theirs)[1], rel=1e-12)


def test_wrong_input_is_refused():
    with pytest.raises(InvalidInput, match="choose one of holm, bonferroni, bh, by"):
        adjusted(P, method="sidak")
    with pytest.raises(InvalidInput, match=r"0\.\.1"):
        adjusted([0.5, 1.5], method="holm")
