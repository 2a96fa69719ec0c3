"""The share of current cases that lie farther out than 99 % of the reference, with an exact law."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from assurance.evidence.finding import Finding, NullLaw
from assurance.metrics.proportions import wilson
from monitoring.drift import thresholds
from monitoring.drift.null_laws import LEVELS
from monitoring.drift.vector_finding import vector_finding
from monitoring.drift.vectors import Matrix, Vectors

BEYOND = 0.01
Distance = Callable[[Matrix], NDArray[np.float64]]


def outlying_share(
    key: str, first: Vectors, second: Vectors, *, fit: Callable[[Matrix], Distance], alpha_watch: float,
    alpha_act: float, seed: int, parameters: Mapping[str, Any],
) -> Finding:  # fmt: skip
    """Share of current cases beyond the reference's 99th percentile of a distance to the reference.

    The distance is fitted on half of the reference's patients and the limit set on the other half: a case is always
    closer to a centre that it helped to fit. When the limit is the r-th largest of k held-out distances, the number of
    m exchangeable cases beyond it is beta-binomial(m, r, k − r + 1), whatever the distance's law. With several cases
    per patient m and k count patients, each by one case drawn by ``seed``.
    """
    rng = np.random.default_rng(seed)
    held = rng.permutation(first.n_patients) >= first.n_patients // 2
    distance = fit(first.rows[~held[first.patients]])
    singles = first.one_per_patient(seed=seed)
    limits = np.sort(distance(first.rows[singles[held[first.patients[singles]]]]))[::-1]
    rank = max(1, math.ceil(BEYOND * limits.size))
    limit = float(limits[rank - 1])
    units = second.n_patients
    hits = int((distance(second.rows[second.one_per_patient(seed=seed)]) > limit).sum())
    law = stats.betabinom(units, rank, limits.size - rank + 1)
    quantiles = {f"{level:g}": float(law.ppf(level)) / units for level in LEVELS}
    null = NullLaw(
        f"beta-binomial, limit at rank {rank} of {limits.size} held-out cases", quantiles, float(law.sf(hits - 1))
    )
    share = hits / units
    return vector_finding(
        key, share, first, second, null=null, row=thresholds.OUTLYING, effect=None, judged_effect=share,
        alpha_watch=alpha_watch, alpha_act=alpha_act, seed=seed, interval=wilson(hits, units),
        parameters={"beyond": BEYOND, **parameters},
        details={"limit": limit, "beyond": hits, "of": units, "expected_share": rank / (limits.size + 1)},
    )  # fmt: skip
