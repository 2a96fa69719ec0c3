"""Reference-decile bins, shared by the statistics that compare shares."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from monitoring.drift.distribution import Distribution


def decile_edges(reference: Distribution, *, bins: int = 10) -> NDArray[np.float64]:
    """Inner edges (up to bins − 1) at the reference's quantiles; fewer where values tie."""
    shares = np.arange(1, bins) / bins
    edges = np.unique(reference.quantiles(shares))
    return edges[edges < reference.positions[-1]]  # nothing lies beyond the last position


def smoothed_shares(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Shares with half a case added to each bin, so that an empty bin has a logarithm."""
    raised = counts + 0.5
    shares: NDArray[np.float64] = raised / raised.sum(axis=-1, keepdims=True)
    return shares
