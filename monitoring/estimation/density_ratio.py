"""How many times more frequent each reference case is in the current window, from a domain classifier."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import linalg, special

from assurance.evidence.errors import InvalidInput, NotComputable

Vector = NDArray[np.float64]
COMPONENTS = 64
RIDGE = 1.0
CLIP_QUANTILE = 0.99
SMALLEST_SAMPLE = 100.0


def density_ratio(reference_features: ArrayLike, current_features: ArrayLike) -> tuple[Vector, float]:
    """Weights of the reference cases, mean 1, and the effective sample size (Σw)²/Σw².

    Features of shape (n, d) and (m, d) are whitened on the reference's principal components (64 at most); a ridge
    logistic regression tells the windows apart; w = odds·n/m, clipped at its 99th percentile.

    Raises
    ------
    InvalidInput
        Not two tables of finite numbers with equal width.
    NotComputable
        ``too_different``: effective sample size below 100.

    References
    ----------
    Bickel, Brückner & Scheffer (2009), JMLR 10:2137. Kish (1965), Survey Sampling (effective size).
    """
    reference, current = _table(reference_features, "reference_features"), _table(current_features, "current_features")
    if reference.shape[1] != current.shape[1]:
        raise InvalidInput(
            "width_mismatch",
            f"features have {reference.shape[1]} and {current.shape[1]} columns: give the same in both",
        )
    centre = reference.mean(axis=0)
    _, scale, axes = linalg.svd(reference - centre, full_matrices=False)
    scale = scale / np.sqrt(max(1, len(reference) - 1))
    kept = min(COMPONENTS, int((scale > 1e-9 * max(scale[0], 1e-300)).sum()))
    whiten = axes[:kept].T / np.maximum(scale[:kept], 1e-12)
    design = np.vstack([(reference - centre) @ whiten, (current - centre) @ whiten])
    design = np.clip(design, -10, 10)  # one wild case must not decide the classifier
    here = np.r_[np.zeros(len(reference)), np.ones(len(current))]
    odds = np.exp(_ridge_logistic(design, here)[: len(reference)]) * len(reference) / len(current)
    weights = np.minimum(odds, np.quantile(odds, CLIP_QUANTILE))
    weights = weights / weights.mean()
    size = float(weights.sum() ** 2 / (weights @ weights))
    if size < SMALLEST_SAMPLE:
        raise NotComputable(
            "too_different",
            f"the weighted reference is worth {size:.0f} cases, {SMALLEST_SAMPLE:.0f} needed: windows hardly overlap",
        )
    return weights, size


def _ridge_logistic(design: Vector, here: Vector) -> Vector:
    """Log odds of each row by Newton's method; the intercept is not shrunk."""
    table = np.column_stack([np.ones(len(design)), design])
    shrink = np.full(table.shape[1], RIDGE)
    shrink[0] = 1e-8
    line = np.zeros(table.shape[1])
    for _ in range(50):
        fitted = special.expit(table @ line)
        slope = table.T @ (fitted - here) + shrink * line
        curve = (table * (fitted * (1 - fitted))[:, None]).T @ table + np.diag(shrink)
        step = linalg.solve(curve, slope, assume_a="pos")
        line -= step
        if np.abs(step).max() < 1e-8:
            break
    return np.asarray(table @ line)


def _table(values: ArrayLike, name: str) -> Vector:
    try:
        table = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInput("not_numeric", f"{name} holds values that are not numbers: give numbers only") from error
    if table.ndim != 2 or not table.size or not np.isfinite(table).all():
        raise InvalidInput("bad_features", f"{name} has shape {table.shape}: give finite numbers, one row per case")
    return table
