"""Net benefit: what acting on the score is worth, in true positives per case."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from assurance.evidence.checks import binary_vector, same_length, share_vector
from assurance.evidence.errors import InvalidInput
from assurance.evidence.finding import Finding, State
from assurance.metrics.measured import array_digest, checked_level, interval_around, method_record
from assurance.metrics.patients import bootstrap_ratios, patient_codes


def net_benefit(
    labels: ArrayLike,
    scores: ArrayLike,
    *,
    threshold: float = 0.5,
    patients: ArrayLike | None = None,
    level: float = 0.95,
    replicates: int = 2000,
    seed: int = 0,
    minimum_cases: int = 100,
) -> Finding:
    """Net benefit TP/n − FP/n·t/(1−t) at the threshold probability t; 0 = as good as acting on nobody.

    ``scores`` are probabilities, ``threshold`` lies between 0 and 1: it also states what a false positive costs against
    a missed case. ``details`` give the net benefit of acting on everybody and on nobody.

    References
    ----------
    Vickers & Elkin (2006), Medical Decision Making 26:565.
    """
    truth = binary_vector(labels, name="labels")
    values = share_vector(scores, name="scores")
    same_length(labels=truth, scores=values)
    if not 0 < threshold < 1:
        raise InvalidInput("bad_threshold", f"threshold is {threshold}: give a probability between 0 and 1")
    odds = threshold / (1 - threshold)
    called = values >= threshold
    worth = (called & truth) - odds * (called & ~truth)
    codes = patient_codes(patients, n_cases=truth.size)
    draws = bootstrap_ratios(worth, np.ones(truth.size), codes, replicates=replicates, rng=np.random.default_rng(seed))
    low, high = np.quantile(draws, [(1 - checked_level(level)) / 2, (1 + level) / 2])
    value, prevalence = float(worth.mean()), float(truth.mean())
    few = truth.size < minimum_cases
    return Finding(
        quantity="net_benefit",
        value=value,
        unit="true positives per case",
        state=State.INSUFFICIENT if few else State.OK,
        reason=f"{truth.size} cases: {minimum_cases} are needed" if few else "",
        n_cases=truth.size,
        n_patients=None if patients is None else int(codes.max()) + 1,
        interval=interval_around(value, low, high, level=level, method="patient_bootstrap"),
        minimum_n=minimum_cases,
        method=method_record(
            "net_benefit",
            "assurance.metrics.net_benefit:net_benefit",
            seed=seed,
            threshold=float(threshold),
            level=level,
            replicates=replicates,
        ),
        input_digest=array_digest(labels=truth, scores=values, patients=patients),
        details={"treat_all": prevalence - (1 - prevalence) * odds, "treat_none": 0.0, "prevalence": prevalence},
    )
