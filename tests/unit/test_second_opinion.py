"""Evidently's report on demand, and the words where its verdict differs from ours."""

import numpy as np
import pytest

from assurance.evidence.errors import InvalidInput
from monitoring.drift.second_opinion import Opinion, disagreement, html_report


def test_the_report_is_one_page_with_both_signals():
    rng = np.random.default_rng(0)
    page = html_report(
        {"q_snr": rng.normal(size=80), "meta_view": rng.choice(["AP", "PA"], 80), "only": np.ones(80)},
        {"q_snr": rng.normal(1, 1, 60), "meta_view": ["AP"] * 59 + [None]}, categorical=["meta_view"],
    )  # fmt: skip
    assert page.lstrip().startswith("<!DOCTYPE html>")
    assert "q_snr" in page and "meta_view" in page and "only" not in page.split("</head>")[0]


def test_nothing_to_report_is_refused():
    with pytest.raises(InvalidInput, match="nothing to report"):
        html_report({"x": [np.nan, np.nan]}, {"x": [1.0, 2.0]})


@pytest.mark.parametrize(
    ("state", "method", "drift", "says"),
    [
        ("ok", "ks", True, "big enough to matter, and it is not"),
        ("insufficient", "ks", True, "window is too small"),
        ("act", "ks", False, "KS test is not significant"),
        ("act", "jensenshannon", False, "threshold 0.1 is not reached"),
        ("act", "ks", True, ""),
        ("ok", "ks", False, ""),
    ],
)
def test_a_difference_of_verdict_is_explained(state, method, drift, says):
    text = disagreement(state, Opinion(method, 0.04, 0.1, drift, "0.7"))
    assert says in text if says else text == ""
