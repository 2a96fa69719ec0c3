"""From scores to probabilities that hold on the reference: isotonic where there are enough labels, else Platt."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from assurance.evidence.errors import InvalidInput

Vector = NDArray[np.float64]
ISOTONIC_CASES = 200
CLIP = 1e-6


def calibration_map(
    labels: NDArray[np.bool_], scores: Vector, *, kind: str = "auto", weights: Vector | None = None
) -> tuple[Callable[[Vector], Vector], str]:
    """Fit probability of the label on the score. Returns the map and the kind that was used.

    ``kind``: ``auto`` (isotonic from 200 labelled cases, else Platt), ``isotonic``, ``platt`` or ``none``. ``weights``
    of shape (n,) are non-negative; a case of weight 0 does not count. Between the isotonic steps the map is straight.

    References
    ----------
    Zadrozny & Elkan (2002), KDD (isotonic). Platt (1999), Advances in Large Margin Classifiers.
    """
    if kind not in ("auto", "isotonic", "platt", "none"):
        raise InvalidInput("unknown_calibration", f"calibration {kind!r}: choose one of auto, isotonic, platt, none")
    mass = np.ones(labels.size) if weights is None else weights
    if kind == "auto":
        kind = "isotonic" if np.count_nonzero(mass) >= ISOTONIC_CASES else "platt"
    if kind == "none":
        return lambda values: values, kind
    fit = _isotonic if kind == "isotonic" else _platt
    return fit(labels.astype(float), scores, mass), kind


def _isotonic(truth: Vector, scores: Vector, mass: Vector) -> Callable[[Vector], Vector]:
    points, member = np.unique(scores, return_inverse=True)
    weight = np.bincount(member, mass)
    held = weight > 0
    means = np.bincount(member, mass * truth)[held] / weight[held]
    points = points[held]
    levels = optimize.isotonic_regression(means, weights=weight[held]).x
    return lambda values: np.interp(values, points, levels)


def _platt(truth: Vector, scores: Vector, mass: Vector) -> Callable[[Vector], Vector]:
    """Logistic regression on logit(score), labels drawn in by Platt's prior so that separated classes have a fit."""
    positives, negatives = float(mass @ truth), float(mass @ (1 - truth))
    target = np.where(truth == 1, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    logits = special.logit(np.clip(scores, CLIP, 1 - CLIP))

    def cost(line: Vector) -> tuple[float, Vector]:
        linear = line[0] + line[1] * logits
        loss = float(mass @ (np.logaddexp(0, linear) - target * linear))
        slope = mass * (special.expit(linear) - target)
        return loss, np.array([slope.sum(), slope @ logits])

    line = optimize.minimize(cost, np.array([0.0, 1.0]), jac=True, method="BFGS").x
    return lambda values: special.expit(line[0] + line[1] * special.logit(np.clip(values, CLIP, 1 - CLIP)))
