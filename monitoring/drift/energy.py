"""Energy distance of the standardised values."""

from __future__ import annotations

from typing import Any

import numpy as np

from assurance.evidence.finding import Finding
from monitoring.drift import thresholds
from monitoring.drift.comparison import judged, not_comparable
from monitoring.drift.distribution import Distribution, distribution
from monitoring.drift.sample_paths import energy_law


def energy(
    reference: Any, current: Any, *, alpha_watch: float = thresholds.ALPHA_WATCH,
    alpha_act: float = thresholds.ALPHA_ACT, seed: int = 0,
) -> Finding:  # fmt: skip
    """√(2∫(F − G)²dx/σ), σ the reference's population sd: the energy distance after dividing the values by σ.

    Without the division it would change with the unit of the signal. ``reference`` (n,) and ``current`` (m,) are rows
    of numbers or numeric states; NaN counts as missing. The null law is drawn by ``seed``: 10,000 pairs of samples of
    these sizes from the pooled cases (Székely & Rizzo 2013, Journal of Statistical Planning and Inference 143:1249).
    """
    first, second = distribution(reference, name="reference"), distribution(current, name="current")
    refused = not_comparable("energy", first, second, row=thresholds.ENERGY, seed=seed)
    if refused:
        return refused
    value = float(np.sqrt(2 * squared_gap(first, second) / first.sd))
    null = energy_law(value, first, second, seed=seed)
    return judged(
        "energy", value, reference=first, current=second, null=null, row=thresholds.ENERGY, alpha_watch=alpha_watch,
        alpha_act=alpha_act, seed=seed, details={"reference_sd": first.sd},
    )  # fmt: skip


def squared_gap(first: Distribution, second: Distribution) -> float:
    """∫(F − G)²dx in the unit of the signal."""
    points = np.union1d(first.positions, second.positions)
    gaps = first.cdf(points[:-1]) - second.cdf(points[:-1])
    return float(np.square(gaps) @ np.diff(points))
