"""Calibration slope, intercept in the large and the ratio of observed to expected findings."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from assurance.evidence.checks import binary_vector, same_length, share_vector
from assurance.evidence.errors import NotComputable
from assurance.evidence.finding import Finding, Interval, State
from assurance.metrics.measured import array_digest, checked_level, interval_around, method_record
from assurance.metrics.patients import patient_codes

Vector = NDArray[np.float64]
CLIP = 1e-6  # a score of exactly 0 or 1 has no logit; the number of clipped cases is reported


def calibration_slope(labels: ArrayLike, scores: ArrayLike, **options: Any) -> Finding:
    """Slope of the logistic regression of the label on logit(score): 1 = right spread, < 1 = scores too extreme.

    Options: ``patients`` (the interval follows patients), ``level``, ``minimum_events``.

    Raises
    ------
    NotComputable
        ``one_class``; ``constant_scores``; ``separable`` (the scores separate the classes wholly: no
        finite slope); ``no_fit``.

    References
    ----------
    Cox (1958), Biometrika 45:562. Van Calster et al. (2016), J Clin Epidemiol 74:167.
    """
    return _finding("calibration_slope", labels, scores, ideal=1.0, **options)


def calibration_intercept(labels: ArrayLike, scores: ArrayLike, **options: Any) -> Finding:
    """Calibration in the large: intercept of the logistic regression with logit(score) as offset; 0 = right on average.

    Above 0 the model gives too low probabilities. Options and refusals as in :func:`calibration_slope`.

    References
    ----------
    Van Calster et al. (2016), J Clin Epidemiol 74:167.
    """
    return _finding("calibration_intercept", labels, scores, ideal=0.0, **options)


def observed_expected(labels: ArrayLike, scores: ArrayLike, **options: Any) -> Finding:
    """Ratio of observed findings to the sum of predicted probabilities; 1 = right on average, > 1 = under-predicted.

    The interval is normal on the log scale with the variance between patients of the residuals.

    References
    ----------
    Debray et al. (2017), BMJ 356:i6460.
    """
    return _finding("observed_expected", labels, scores, ideal=1.0, **options)


def fit_line(truth: Vector, design: Vector, offset: Vector) -> tuple[Vector, Vector]:
    """Logistic maximum likelihood by Newton's method. Returns coefficients and the inverse information matrix."""
    coefficients = np.zeros(design.shape[1])

    def likelihood(point: Vector) -> float:
        linear = offset + design @ point
        return float(truth @ linear - np.logaddexp(0, linear).sum())

    here = likelihood(coefficients)
    for _ in range(100):
        fitted = special.expit(offset + design @ coefficients)
        information = (design * (fitted * (1 - fitted))[:, None]).T @ design
        try:
            step = np.linalg.solve(information, design.T @ (truth - fitted))
        except np.linalg.LinAlgError:
            break
        size = 1.0
        while size > 1e-8 and likelihood(coefficients + size * step) < here:
            size /= 2
        coefficients = coefficients + size * step
        there = likelihood(coefficients)
        if np.abs(coefficients).max() > 1e4:
            break
        if np.abs(size * step).max() < 1e-10 or abs(there - here) < 1e-13 * (1 + abs(here)):
            fitted = special.expit(offset + design @ coefficients)
            information = (design * (fitted * (1 - fitted))[:, None]).T @ design
            if np.linalg.cond(information) > 1e13:
                break
            return coefficients, np.linalg.inv(information)
        here = there
    raise NotComputable("no_fit", "the calibration line has no finite fit: the scores are too extreme or hardly differ")


def _finding(
    key: str,
    labels: ArrayLike,
    scores: ArrayLike,
    *,
    ideal: float,
    patients: ArrayLike | None = None,
    level: float = 0.95,
    minimum_events: int = 20,
) -> Finding:
    truth_flags = binary_vector(labels, name="labels")
    values = share_vector(scores, name="scores")
    same_length(labels=truth_flags, scores=values)
    truth, n_positive = truth_flags.astype(float), int(truth_flags.sum())
    n_negative = truth.size - n_positive
    if not n_positive or not n_negative:
        raise NotComputable("one_class", f"all {truth.size} cases are of one class: calibration needs both")
    codes = patient_codes(patients, n_cases=truth.size)
    z = float(special.ndtri((1 + checked_level(level)) / 2))
    if key == "observed_expected":
        value, bounds = _ratio(truth, values, codes, z, level)
    else:
        value, bounds = _line(key, truth, values, codes, None if patients is None else codes, z, level)
    few = min(n_positive, n_negative)
    too_few = f"{n_positive} cases with and {n_negative} without the finding: {minimum_events} of each are needed"
    return Finding(
        quantity=key,
        value=value,
        unit="1",
        state=State.INSUFFICIENT if few < minimum_events else State.OK,
        reason=too_few if few < minimum_events else "",
        n_cases=truth.size,
        n_patients=None if patients is None else int(codes.max()) + 1,
        interval=bounds,
        minimum_n=2 * minimum_events,
        method=method_record(key, f"assurance.metrics.calibration_line:{key}", level=level, clip=CLIP),
        input_digest=array_digest(labels=truth, scores=values, patients=patients),
        details={
            "ideal": ideal,
            "n_positive": n_positive,
            "expected": float(values.sum()),
            "n_clipped": int(((values < CLIP) | (values > 1 - CLIP)).sum()),
            "interval_excludes_ideal": not bounds.low <= ideal <= bounds.high,
        },
    )


def _line(
    key: str,
    truth: Vector,
    values: Vector,
    codes: NDArray[np.intp],
    groups: NDArray[np.intp] | None,
    z: float,
    level: float,
) -> tuple[float, Interval]:
    logits = special.logit(np.clip(values, CLIP, 1 - CLIP))
    ones = np.ones((truth.size, 1))
    if key == "calibration_slope":
        if np.ptp(logits) == 0:
            raise NotComputable("constant_scores", "all scores are equal: a slope needs scores that differ")
        with_finding, without = logits[truth == 1], logits[truth == 0]
        if with_finding.min() >= without.max() or without.min() >= with_finding.max():
            raise NotComputable("separable", "the scores separate the classes wholly: the line has no finite slope")
        design, offset = np.column_stack([ones, logits]), np.zeros(truth.size)
    else:
        design, offset = ones, logits
    coefficients, covariance = fit_line(truth, design, offset)
    if groups is not None:  # sandwich: patients, not cases, are independent
        residuals = truth - special.expit(offset + design @ coefficients)
        n_patients = int(codes.max()) + 1
        sums = np.column_stack([np.bincount(codes, residuals * column, minlength=n_patients) for column in design.T])
        correction = n_patients / max(1, n_patients - 1)
        covariance = covariance @ (correction * sums.T @ sums) @ covariance
    value = float(coefficients[-1])
    reach = z * math.sqrt(covariance[-1, -1])
    name = "wald" if groups is None else "patient_sandwich"
    return value, interval_around(value, value - reach, value + reach, level=level, method=name)


def _ratio(truth: Vector, values: Vector, codes: NDArray[np.intp], z: float, level: float) -> tuple[float, Interval]:
    expected = float(values.sum())
    if expected == 0:
        raise NotComputable("nothing_expected", "every score is 0: the ratio of observed to expected has no value")
    ratio = float(truth.sum()) / expected
    residuals = np.bincount(codes, truth - ratio * values)
    n_patients = residuals.size
    if n_patients < 2:
        raise NotComputable("too_few", "one patient only: the ratio's spread cannot be estimated")
    spread = math.sqrt(n_patients / (n_patients - 1) * float(residuals @ residuals)) / (ratio * expected)
    low, high = ratio * math.exp(-z * spread), ratio * math.exp(z * spread)
    return ratio, interval_around(ratio, low, high, level=level, method="log_normal")
