"""Shares of the two-by-two table at one threshold: sensitivity, specificity, predictive values, accuracy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assurance.evidence.checks import binary_vector, finite_vector, same_length
from assurance.evidence.errors import InvalidInput, NotComputable
from assurance.evidence.finding import Finding
from assurance.metrics.measured import array_digest, judged, method_record
from assurance.metrics.patients import clustered, patient_codes
from assurance.metrics.proportions import design_effect, proportion_interval

_PARTS = {  # quantity: (which cases count, which of them are hits, words for the denominator)
    "sensitivity": ("y", "called", "cases with the finding"),
    "specificity": ("not y", "not called", "cases without the finding"),
    "ppv": ("called", "y", "cases called positive"),
    "npv": ("not called", "not y", "cases called negative"),
    "accuracy": ("all", "right", "cases"),
}


def sensitivity(labels: ArrayLike, scores: ArrayLike, *, threshold: float = 0.5, **options: Any) -> Finding:
    """Share of the cases with the finding that score ``threshold`` or more. See :func:`proportion`."""
    return proportion("sensitivity", labels, scores, threshold=threshold, **options)


def specificity(labels: ArrayLike, scores: ArrayLike, *, threshold: float = 0.5, **options: Any) -> Finding:
    """Share of the cases without the finding that score below ``threshold``. See :func:`proportion`."""
    return proportion("specificity", labels, scores, threshold=threshold, **options)


def ppv(labels: ArrayLike, scores: ArrayLike, *, threshold: float = 0.5, **options: Any) -> Finding:
    """Positive predictive value, with the prevalence it holds for in ``details``. See :func:`proportion`."""
    return proportion("ppv", labels, scores, threshold=threshold, **options)


def npv(labels: ArrayLike, scores: ArrayLike, *, threshold: float = 0.5, **options: Any) -> Finding:
    """Negative predictive value, with the prevalence it holds for in ``details``. See :func:`proportion`."""
    return proportion("npv", labels, scores, threshold=threshold, **options)


def accuracy(labels: ArrayLike, scores: ArrayLike, *, threshold: float = 0.5, **options: Any) -> Finding:
    """Share of cases called rightly; with rare findings it says little. See :func:`proportion`."""
    return proportion("accuracy", labels, scores, threshold=threshold, **options)


def proportion(
    quantity: str,
    labels: ArrayLike,
    scores: ArrayLike,
    *,
    threshold: float = 0.5,
    patients: ArrayLike | None = None,
    interval: str = "wilson",
    level: float = 0.95,
    minimum_events: int = 20,
    limit: float | None = None,
) -> Finding:
    """One share of the two-by-two table of ``labels`` against ``scores >= threshold``.

    Parameters
    ----------
    quantity : {"sensitivity", "specificity", "ppv", "npv", "accuracy"}
        Which share.
    labels, scores : arrays of shape (n,)
        0/1 and model scores.
    threshold : float
        A case is called positive at ``threshold`` or more.
    patients : array of shape (n,), optional
        With several cases of one patient, counts are divided by the design effect before the interval is taken.
    interval : {"wilson", "clopper_pearson", "jeffreys"}
        Wilson by default, Clopper–Pearson for dossiers.
    minimum_events : int
        Denominator below which the state is ``insufficient``.
    limit : float, optional
        Declared minimum.

    Raises
    ------
    NotComputable
        The denominator is empty (``no_denominator``).

    References
    ----------
    Wilson (1927), JASA 22:209. Rao & Scott (1992), Biometrics 48:577 (design effect).
    """
    truth = binary_vector(labels, name="labels")
    values = finite_vector(scores, name="scores")
    same_length(labels=truth, scores=values)
    if not math.isfinite(threshold):
        raise InvalidInput(
            "bad_threshold", f"threshold is {threshold}: give a finite number on the scale of the scores"
        )
    counted, hits, words = _counted(quantity, truth, values >= threshold)
    n, n_hits = int(counted.sum()), int((counted & hits).sum())
    if n == 0:
        raise NotComputable("no_denominator", f"{quantity} has no value: there are no {words}")
    codes = patient_codes(patients, n_cases=truth.size)
    effect = design_effect(hits[counted], codes[counted]) if clustered(codes) else 1.0
    bounds = proportion_interval(interval)(n_hits / effect, n / effect, level=level)
    too_few = f"{n} {words}: {minimum_events} are needed" if n < minimum_events else ""
    state, reason = judged(n_hits / n, bounds, limit=limit, higher_is_better=True, too_few=too_few)
    return Finding(
        quantity=quantity,
        value=n_hits / n,
        unit="1",
        state=state,
        reason=reason,
        n_cases=truth.size,
        n_patients=None if patients is None else int(codes.max()) + 1,
        interval=bounds,
        minimum_n=minimum_events,
        method=method_record(
            quantity,
            f"assurance.metrics.confusion:{quantity}",
            interval=interval,
            level=level,
            limit=limit,
            threshold=float(threshold),
            minimum_events=minimum_events,
        ),
        input_digest=array_digest(labels=truth, scores=values, patients=patients),
        details={
            "numerator": n_hits,
            "denominator": n,
            "design_effect": effect,
            "prevalence": float(truth.mean()),
        },
    )


def _counted(
    quantity: str, truth: NDArray[np.bool_], called: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], str]:
    if quantity not in _PARTS:
        raise InvalidInput("unknown_quantity", f"quantity {quantity!r} is not known: choose one of {', '.join(_PARTS)}")
    masks = {
        "y": truth,
        "not y": ~truth,
        "called": called,
        "not called": ~called,
        "all": np.ones_like(truth),
        "right": truth == called,
    }
    counted, hits, words = _PARTS[quantity]
    return masks[counted], masks[hits], words
