"""Population stability index over reference-decile bins."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from assurance.evidence.finding import Finding
from monitoring.drift import thresholds
from monitoring.drift.bins import decile_edges, smoothed_shares
from monitoring.drift.comparison import judged, not_comparable
from monitoring.drift.contingency import few_expected, permuted
from monitoring.drift.distribution import distribution
from monitoring.drift.null_laws import scaled_chi_square


def psi(
    reference: Any, current: Any, *, alpha_watch: float = thresholds.ALPHA_WATCH,
    alpha_act: float = thresholds.ALPHA_ACT, seed: int = 0, bins: int = 10,
) -> Finding:  # fmt: skip
    """Σ(q − p)·ln(q/p) with half a case added to each bin; null law (1/n + 1/m)·χ²_{B−1} (Yurdakul & Naranjo 2020).

    ``reference`` (n,) and ``current`` (m,) are rows of numbers or numeric states; NaN counts as missing. Bins are the
    reference's deciles, fewer where values tie. Below 50 expected cases in a bin the law comes from 1,999 tables with
    the same margins, drawn by ``seed``.
    """
    first, second = distribution(reference, name="reference"), distribution(current, name="current")
    refused = not_comparable("psi", first, second, row=thresholds.PSI)
    if refused:
        return refused
    edges = decile_edges(first, bins=bins)
    p_counts, q_counts = first.counts(edges), second.counts(edges)
    value = psi_of_counts(p_counts, q_counts)
    if few_expected(p_counts, q_counts):
        null = permuted(p_counts, q_counts, psi_along, value, seed=seed)
    else:
        null = scaled_chi_square(
            value, n=first.n, m=second.n, df=p_counts.size - 1, factor=1.0, law="(1/n + 1/m) times chi-square"
        )
    return judged(
        "psi", value, reference=first, current=second, null=null, row=thresholds.PSI, alpha_watch=alpha_watch,
        alpha_act=alpha_act, seed=seed, parameters={"bins": p_counts.size},
        details={"edges": edges.tolist(), "reference_counts": p_counts.tolist(), "current_counts": q_counts.tolist()},
    )  # fmt: skip


def psi_of_counts(reference: NDArray[np.float64], current: NDArray[np.float64]) -> float:
    return float(psi_along(reference, current))


def psi_along(reference: NDArray[np.float64], current: NDArray[np.float64]) -> NDArray[np.float64]:
    """PSI of counts along the last axis."""
    p, q = smoothed_shares(reference), smoothed_shares(current)
    return np.asarray(((q - p) * np.log(q / p)).sum(axis=-1))
