"""Average precision: the area under the step-shaped precision–sensitivity curve."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from assurance.evidence.checks import binary_vector, finite_vector, same_length
from assurance.evidence.errors import NotComputable
from assurance.evidence.finding import Finding
from assurance.metrics.measured import array_digest, checked_level, interval_around, judged, method_record
from assurance.metrics.patients import bootstrap_quantiles, patient_codes

BOOTSTRAP_CASES = 50_000


def average_precision(
    labels: ArrayLike,
    scores: ArrayLike,
    *,
    patients: ArrayLike | None = None,
    level: float = 0.95,
    replicates: int = 2000,
    seed: int = 0,
    minimum_events: int = 20,
    limit: float | None = None,
) -> Finding:
    """Average precision Σ (R_k − R_{k−1})·P_k over the distinct scores, highest first.

    Parameters
    ----------
    labels, scores : arrays of shape (n,)
        0/1 and model scores, larger = more likely 1.
    patients : array of shape (n,), optional
        The bootstrap draws whole patients.

    Returns
    -------
    Finding
        Unit "1". The chance level is the prevalence, given in ``details``: values of two populations with different
        prevalence cannot be compared. The interval is the percentile bootstrap over patients; above 50,000 cases
        the logit interval with the number of positives as sample size.

    Raises
    ------
    NotComputable
        No case has the finding (``one_class``).

    References
    ----------
    Davis & Goadrich (2006), ICML. Boyd, Eng & Page (2013), ECML PKDD (intervals).
    """
    truth = binary_vector(labels, name="labels")
    values = finite_vector(scores, name="scores")
    same_length(labels=truth, scores=values)
    n_positive = int(truth.sum())
    if n_positive == 0:
        raise NotComputable(
            "one_class", f"none of {truth.size} cases has the finding: average precision needs one or more"
        )
    codes = patient_codes(patients, n_cases=truth.size)
    order = np.argsort(-values, kind="stable")
    ends = np.flatnonzero(np.concatenate([values[order][1:] != values[order][:-1], [True]]))
    positive = truth[order].astype(float)
    area = _weighted_precision(np.ones(truth.size), positive, ends)
    if truth.size <= BOOTSTRAP_CASES:
        rng = np.random.default_rng(seed)
        low, high, _ = bootstrap_quantiles(
            lambda weights: _weighted_precision(weights, positive, ends),
            codes[order],
            level=checked_level(level),
            replicates=replicates,
            rng=rng,
        )
        name = "patient_bootstrap"
    else:
        reach = float(special.ndtri((1 + checked_level(level)) / 2)) / math.sqrt(n_positive * area * (1 - area))
        low, high = (float(special.expit(special.logit(area) + side * reach)) for side in (-1, 1))
        name = "logit"
    bounds = interval_around(area, low, high, level=level, method=name) if math.isfinite(low) else None
    too_few = ""
    if n_positive < minimum_events:
        too_few = f"{n_positive} cases with the finding: {minimum_events} are needed"
    state, reason = judged(area, bounds, limit=limit, higher_is_better=True, too_few=too_few)
    return Finding(
        quantity="average_precision",
        value=area,
        unit="1",
        state=state,
        reason=reason,
        n_cases=truth.size,
        n_patients=None if patients is None else int(codes.max()) + 1,
        interval=bounds,
        minimum_n=minimum_events,
        method=method_record(
            "average_precision",
            "assurance.metrics.average_precision:average_precision",
            seed=seed if name == "patient_bootstrap" else None,
            interval=name,
            level=level,
            limit=limit,
            replicates=replicates,
        ),
        input_digest=array_digest(labels=truth, scores=values, patients=patients),
        details={"n_positive": n_positive, "prevalence": n_positive / truth.size},
    )


def _weighted_precision(weights: NDArray[np.float64], positive: NDArray[np.float64], ends: NDArray[np.intp]) -> float:
    hits, called = np.cumsum(weights * positive)[ends], np.cumsum(weights)[ends]
    if hits[-1] == 0:
        return float("nan")
    gained = np.diff(hits, prepend=0.0)
    precision = np.divide(hits, called, out=np.zeros_like(hits), where=called > 0)
    return float(gained @ precision / hits[-1])
