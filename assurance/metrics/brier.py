"""Brier score: the mean squared distance between predicted probability and outcome."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from assurance.evidence.checks import binary_vector, same_length, share_vector
from assurance.evidence.finding import Finding
from assurance.metrics.measured import array_digest, checked_level, interval_around, judged, method_record
from assurance.metrics.patients import bootstrap_ratios, patient_codes


def brier(
    labels: ArrayLike,
    scores: ArrayLike,
    *,
    patients: ArrayLike | None = None,
    level: float = 0.95,
    replicates: int = 2000,
    seed: int = 0,
    minimum_cases: int = 50,
    limit: float | None = None,
) -> Finding:
    """Brier score mean (score − label)², 0 = perfect, with the percentile bootstrap over patients.

    ``scores`` must be probabilities in 0..1. ``details`` give the score of always answering the prevalence and the
    skill 1 − score/that. ``limit`` is a declared maximum.

    References
    ----------
    Brier (1950), Monthly Weather Review 78:1.
    """
    truth = binary_vector(labels, name="labels")
    values = share_vector(scores, name="scores")
    same_length(labels=truth, scores=values)
    losses = (values - truth) ** 2
    codes = patient_codes(patients, n_cases=truth.size)
    draws = bootstrap_ratios(losses, np.ones(truth.size), codes, replicates=replicates, rng=np.random.default_rng(seed))
    low, high = np.quantile(draws, [(1 - checked_level(level)) / 2, (1 + level) / 2])
    score = float(losses.mean())
    bounds = interval_around(score, low, high, level=level, method="patient_bootstrap")
    too_few = f"{truth.size} cases: {minimum_cases} are needed" if truth.size < minimum_cases else ""
    state, reason = judged(score, bounds, limit=limit, higher_is_better=False, too_few=too_few)
    prevalence = float(truth.mean())
    uninformed = prevalence * (1 - prevalence)
    return Finding(
        quantity="brier",
        value=score,
        unit="1",
        state=state,
        reason=reason,
        n_cases=truth.size,
        n_patients=None if patients is None else int(codes.max()) + 1,
        interval=bounds,
        minimum_n=minimum_cases,
        method=method_record(
            "brier", "assurance.metrics.brier:brier", seed=seed, level=level, limit=limit, replicates=replicates
        ),
        input_digest=array_digest(labels=truth, scores=values, patients=patients),
        details={
            "prevalence": prevalence,
            "of_prevalence_alone": uninformed,
            "skill": 1 - score / uninformed if uninformed else None,
        },
    )
