"""What maps look at, window by window."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from scipy import stats

from explainability.faithfulness.signal_windows import signal_findings

START = datetime(2026, 1, 1, 9, tzinfo=UTC)


def rows(n, *, day, mean, seed):
    rng = np.random.default_rng(seed)
    return [
        (START + timedelta(days=day), {"entropy": value, "mass_in_region": None}) for value in rng.normal(mean, 1, n)
    ]


def test_a_moved_signal_acts_and_a_still_one_is_ok():
    for shift, state in ((0.0, "ok"), (1.0, "act")):
        found = signal_findings(
            rows(60, day=0, mean=5, seed=1) + rows(60, day=30, mean=5 + shift, seed=2), method="grad_cam"
        )
        assert [item.quantity for item in found] == ["map_entropy"] * 2  # no mask, no share in it
        first, second = found
        assert first.state == "insufficient"
        assert "compared with" in first.reason
        assert second.state == state
        one, two = (
            [row[1]["entropy"] for row in rows(60, day=0, mean=mean, seed=seed)]
            for mean, seed in ((5, 1), (5 + shift, 2))
        )
        assert second.null.p_value == pytest.approx(stats.ttest_ind(two, one, equal_var=False).pvalue)
        assert second.effect == pytest.approx(abs(np.mean(two) - np.mean(one)) / np.std(one, ddof=1))
        low, high = stats.t.interval(0.95, 59, loc=np.mean(two), scale=stats.sem(two))
        assert (second.interval.low, second.interval.high) == pytest.approx((low, high))
        assert (second.window.end - second.window.start).days == 28


def test_few_maps_are_never_judged():
    found = signal_findings(rows(60, day=0, mean=5, seed=1) + rows(49, day=30, mean=9, seed=2), method="grad_cam")
    assert found[1].state == "insufficient"
    assert "50 are needed" in found[1].reason
    assert signal_findings([], method="grad_cam") == []
