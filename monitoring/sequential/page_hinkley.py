"""Page–Hinkley test, as streaming libraries offer it. It has no calibrated run length."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from assurance.evidence.checks import finite_vector
from assurance.evidence.errors import InvalidInput
from monitoring.sequential.result import SequentialResult, digest, first_beyond


def page_hinkley(
    values: ArrayLike, *, delta: float = 0.005, threshold: float = 50.0, alpha: float = 0.9999, minimum: int = 30,
    side: str = "both",
) -> SequentialResult:  # fmt: skip
    """Cumulated deviation from the running mean, less its smallest value; alarm above ``threshold``.

    ``values`` (n,) on their own scale, on which ``delta`` (tolerated change) and ``threshold`` are meant; ``alpha``
    forgets the past; the first ``minimum`` points raise no alarm. ``side``: up, down or both.

    References
    ----------
    Page (1954), Biometrika 41:100. Hinkley (1971), Biometrika 58:509. Gama et al. (2014), ACM Computing Surveys 46:44.
    """
    series = finite_vector(values, name="values")
    if side not in ("up", "down", "both"):
        raise InvalidInput("unknown_side", f"side {side!r}: choose up, down or both")
    if not threshold > 0 or not 0 < alpha <= 1 or minimum < 1:
        raise InvalidInput("bad_design", f"threshold {threshold}, alpha {alpha}: give threshold above 0, alpha in 0..1")
    up = np.empty(series.size)
    down = np.empty(series.size)
    mean = rise = fall = 0.0
    lowest, highest = np.inf, -np.inf
    for place, value in enumerate(series):
        mean += (value - mean) / (place + 1)
        rise = alpha * rise + (value - mean - delta)
        fall = alpha * fall + (value - mean + delta)
        lowest, highest = min(lowest, rise), max(highest, fall)
        up[place], down[place] = rise - lowest, highest - fall
    statistic = {"up": up, "down": down, "both": np.maximum(up, down)}[side]
    upper = np.full(series.size, float(threshold))
    upper[: minimum - 1] = np.inf
    return SequentialResult(
        "page_hinkley", statistic, upper, first_beyond(statistic, np.nextafter(upper, np.inf)),
        {"delta": delta, "threshold": threshold, "alpha": alpha, "minimum": minimum, "side": side},
        paths={"rise": up, "fall": down}, input_digest=digest(series),
        notes=("offered for compatibility: its false-alarm rate is not calibrated",),
    )  # fmt: skip
