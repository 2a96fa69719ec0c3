"""Prediction-powered inference: a few labels in a window, sharpened by the predictions on all of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from assurance.evidence.checks import binary_vector, finite_vector, same_length, share_vector
from assurance.evidence.errors import NotComputable
from assurance.evidence.finding import Finding, Interval, State
from assurance.metrics.measured import array_digest, checked_level, interval_around, method_record
from assurance.metrics.patients import patient_codes
from assurance.metrics.proportions import wilson

Vector = NDArray[np.float64]
MINIMUM_LABELS = 50


@dataclass(frozen=True)
class Powered:
    """A prediction-powered mean with its variance, the tuning λ and the variance without predictions."""

    value: float
    variance: float
    tuning: float
    classical_value: float
    classical_variance: float

    @property
    def gain(self) -> float:
        """How many labels each label is worth: classical variance over this one."""
        return self.classical_variance / self.variance if self.variance > 0 else float("inf")


def powered_mean(
    outcomes: ArrayLike,
    predictions: ArrayLike,
    unlabelled_predictions: ArrayLike,
    *,
    patients: ArrayLike | None = None,
    unlabelled_patients: ArrayLike | None = None,
    tuning: float | None = None,
) -> Powered:
    """PPI++ estimate of a mean: λ·mean f(unlabelled) + mean(Y − λf)(labelled).

    Parameters
    ----------
    outcomes, predictions : arrays of shape (n,)
        Y and f on the labelled cases, a probability sample of the window.
    unlabelled_predictions : array of shape (N,)
        f on the other cases.
    patients, unlabelled_patients : optional
        Variances are then those of patients.
    tuning : float, optional
        λ; by default the best, Cov(Y, f)/((1 + n/N)·Var f), cut to 0..1. λ = 0 is the classical mean.

    Notes
    -----
    Variance Var(Y − λf)/n + λ²·Var(f)/N. Valid for any f, good or bad.

    References
    ----------
    Angelopoulos et al. (2023), Science 382:669. Angelopoulos, Duchi & Zrnic (2023), PPI++, arXiv:2311.01453.
    """
    y, f = finite_vector(outcomes, name="outcomes", at_least=2), finite_vector(predictions, name="predictions")
    others = finite_vector(unlabelled_predictions, name="unlabelled_predictions", at_least=2)
    same_length(outcomes=y, predictions=f)
    codes = patient_codes(patients, n_cases=y.size)
    other_codes = patient_codes(unlabelled_patients, n_cases=others.size)
    if tuning is None:
        both = np.concatenate([f, others])
        spread = float(both.var(ddof=1)) * (1 + y.size / others.size)
        tuning = min(1.0, max(0.0, float(np.cov(y, f)[0, 1]) / spread)) if spread > 0 else 0.0
    value = tuning * float(others.mean()) + float((y - tuning * f).mean())
    variance = _mean_variance(y - tuning * f, codes) + tuning**2 * _mean_variance(others, other_codes)
    return Powered(value, variance, tuning, float(y.mean()), _mean_variance(y, codes))


def ppi(
    labels: ArrayLike,
    scores: ArrayLike,
    unlabelled_scores: ArrayLike,
    *,
    threshold: float = 0.5,
    patients: ArrayLike | None = None,
    unlabelled_patients: ArrayLike | None = None,
    level: float = 0.95,
) -> list[Finding]:
    """Prevalence, accuracy, sensitivity, specificity, PPV, NPV and Brier score of a window with some labels.

    Parameters
    ----------
    labels, scores : arrays of shape (n,), n ≥ 50
        The labelled cases, drawn at random from the window; scores in 0..1.
    unlabelled_scores : array of shape (N,)
        The other cases of the same window.

    Notes
    -----
    f is what the score lets one expect: p for the finding, p·[called] for a true positive and so on. Ratios are two
    prediction-powered means of one λ; their variance is that of the linearised ratio. Where the labels leave no
    variance (all called rightly) the interval is Wilson's on the labels alone.

    Returns
    -------
    list of Finding
        ``details["gain"]`` is how many labels each label is worth thanks to the predictions. Below 50 labels the state
        is ``insufficient``.

    References
    ----------
    Angelopoulos, Duchi & Zrnic (2023), PPI++, arXiv:2311.01453.
    """
    truth = binary_vector(labels, name="labels", at_least=2).astype(float)
    p, others = (
        share_vector(scores, name="scores"),
        share_vector(unlabelled_scores, name="unlabelled_scores", at_least=2),
    )
    same_length(labels=truth, scores=p)
    z = float(special.ndtri((1 + checked_level(level)) / 2))
    called, called_others = (p >= threshold).astype(float), (others >= threshold).astype(float)
    one, ones = np.ones(p.size), np.ones(others.size)
    right, expect_right = called * truth + (1 - called) * (1 - truth), called * p + (1 - called) * (1 - p)
    expect_right_others = called_others * others + (1 - called_others) * (1 - others)
    rows = {  # quantity: outcome, f, f elsewhere; then the same for the denominator
        "prevalence": ((truth, p, others), (one, one, ones)),
        "accuracy": ((right, expect_right, expect_right_others), (one, one, ones)),
        "sensitivity": ((called * truth, called * p, called_others * others), (truth, p, others)),
        "specificity": (
            ((1 - called) * (1 - truth), (1 - called) * (1 - p), (1 - called_others) * (1 - others)),
            (1 - truth, 1 - p, 1 - others),
        ),
        "ppv": ((called * truth, called * p, called_others * others), (called, called, called_others)),
        "npv": (
            ((1 - called) * (1 - truth), (1 - called) * (1 - p), (1 - called_others) * (1 - others)),
            (1 - called, 1 - called, 1 - called_others),
        ),
        "brier": (((truth - p) ** 2, p * (1 - p), others * (1 - others)), (one, one, ones)),
    }
    digest = array_digest(labels=truth, scores=p, unlabelled=others)
    n_patients = None
    if patients is not None and unlabelled_patients is not None:
        n_patients = int(
            np.unique(np.r_[np.asarray(patients).astype(str), np.asarray(unlabelled_patients).astype(str)]).size
        )
    findings = []
    for quantity, (top, bottom) in rows.items():
        value, span, details, reason = _ratio(top, bottom, patients, unlabelled_patients, z, level)
        state = State.OK if value is not None else State.INSUFFICIENT
        if value is not None and truth.size < MINIMUM_LABELS:
            state, reason = State.INSUFFICIENT, f"{truth.size} labels: {MINIMUM_LABELS} are needed"
        findings.append(
            Finding(
                quantity=f"powered_{quantity}",
                value=value,
                unit="1",
                state=state,
                reason=reason,
                n_cases=p.size + others.size,
                n_patients=n_patients,
                interval=span,
                minimum_n=MINIMUM_LABELS,
                method=method_record(
                    "ppi", "monitoring.estimation.prediction_powered:ppi", threshold=threshold, level=level
                ),
                input_digest=digest,
                details={"badge": "estimated from few labels", "n_labels": int(truth.size), **details},
            )
        )
    return findings


def _ratio(
    top: tuple[Vector, Vector, Vector],
    bottom: tuple[Vector, Vector, Vector],
    patients: ArrayLike | None,
    unlabelled_patients: ArrayLike | None,
    z: float,
    level: float,
) -> tuple[float | None, Interval | None, dict[str, float | None], str]:
    below = float(bottom[0].mean())
    if below == 0:
        return None, None, {}, "none of the labelled cases stands in the denominator"
    start = float(top[0].mean()) / below
    groups: dict[str, Any] = {"patients": patients, "unlabelled_patients": unlabelled_patients}
    tuned = powered_mean(*(a - start * b for a, b in zip(top, bottom, strict=True)), **groups)
    try:
        part, whole = (powered_mean(*side, tuning=tuned.tuning, **groups).value for side in (top, bottom))
        if whole <= 0:
            raise NotComputable("no_denominator", "the denominator is estimated as nothing")
    except NotComputable as refusal:
        return None, None, {}, refusal.message
    value = min(1.0, max(0.0, part / whole))
    final = powered_mean(*(a - value * b for a, b in zip(top, bottom, strict=True)), tuning=tuned.tuning, **groups)
    reach = z * final.variance**0.5 / whole
    span = interval_around(value, max(0.0, value - reach), min(1.0, value + reach), level=level, method="ppi++")
    if final.variance == 0:
        alone = wilson(min(1.0, max(0.0, start)) * float(bottom[0].sum()), float(bottom[0].sum()), level=level)
        span = interval_around(value, alone.low, alone.high, level=level, method="wilson")
    gain = final.gain if np.isfinite(final.gain) else None
    return value, span, {"tuning": tuned.tuning, "gain": gain, "labels_alone": start}, ""


def _mean_variance(values: Vector, codes: NDArray[np.intp]) -> float:
    """Variance of the mean when patients, not cases, are independent."""
    residuals = np.bincount(codes, values - values.mean())
    groups = residuals.size
    if groups < 2:
        raise NotComputable("one_patient", "all labelled cases are of one patient: a variance needs two or more")
    return groups / (groups - 1) * float(residuals @ residuals) / values.size**2
