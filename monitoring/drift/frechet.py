"""Fréchet distance of embeddings, against what the same sizes give without drift."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assurance.evidence.finding import Finding
from monitoring.drift import thresholds
from monitoring.drift.thresholds import Row
from monitoring.drift.vector_finding import drawn_law, vector_finding
from monitoring.drift.vectors import COMPONENTS, Matrix, pair, shuffled_groups, whitening

PERMUTATIONS = 199


def frechet(
    reference: ArrayLike, current: ArrayLike, *, reference_patients: ArrayLike | None = None,
    current_patients: ArrayLike | None = None, alpha_watch: float = thresholds.ALPHA_WATCH,
    alpha_act: float = thresholds.ALPHA_ACT, seed: int = 0, permutations: int = PERMUTATIONS,
    components: int = COMPONENTS,
) -> Finding:  # fmt: skip
    """‖μ₁ − μ₂‖² + tr(Σ₁ + Σ₂ − 2(Σ₁Σ₂)^½) on the reference's whitened principal components (64 at most).

    ``reference`` (n, d) and ``current`` (m, d) are embeddings. The value has a large bias in small samples, so it is
    only read against its null law: the pooled patients dealt anew ``permutations`` times by ``seed``. ``effect`` is
    √(value − null median), the Mahalanobis shift that would explain the excess. With 199 deals p is 0.005 at best: the
    state is never ``act``; raise ``permutations`` to 999 for that. Source: Dowson & Landau (1982), Journal of
    Multivariate Analysis 12:450; Heusel et al. (2017), NeurIPS.
    """
    pairs = pair(reference, current, key="frechet", reference_patients=reference_patients,
                 current_patients=current_patients, seed=seed, minimum=thresholds.W1_SD.act_n)  # fmt: skip
    if isinstance(pairs, Finding):
        return pairs
    first, second = pairs
    axes = whitening(first.rows, components=components)
    rows = axes(np.concatenate((first.rows, second.rows)))
    value = distance_of_rows(rows[: first.n], rows[first.n :])
    drawn = dealt_distances(rows, shuffled_groups(first, second, draws=permutations, seed=seed))
    null = drawn_law(drawn, value, f"{permutations} deals of patients at the same sizes")
    effect = math.sqrt(max(0.0, value - null.quantiles["0.5"]))
    row = _row(drawn, first.n_patients, second.n_patients)
    return vector_finding(
        "frechet", value, first, second, null=null, row=row, effect=effect, alpha_watch=alpha_watch,
        alpha_act=alpha_act, seed=seed, parameters={"components": rows.shape[1], "permutations": permutations},
        details={"ratio_to_null_mean": value / float(drawn.mean()), "null_mean": float(drawn.mean())},
    )  # fmt: skip


def _row(drawn: Matrix, n: int, m: int) -> Row:
    """Sizes at which a shift of the rows stands out of the noise of this null law, which shrinks as 1/n + 1/m."""
    noise = float(np.quantile(drawn, 0.99) - np.median(drawn)) / (1 / n + 1 / m)
    watch, act = thresholds.W1_SD.watch, thresholds.W1_SD.act
    smallest = math.ceil(max(2.0, noise / act**2))
    return Row(watch, act, max(smallest, math.ceil(noise / watch**2)), smallest)


def dealt_distances(rows: Matrix, groups: NDArray[np.bool_]) -> Matrix:
    """The distance for each dealing of the rows (R, N): one side's sums are the whole's less the other's."""
    rows = rows - rows.mean(axis=0)
    whole = rows.T @ rows
    m = groups.sum(axis=1).astype(np.float64)
    n = len(rows) - m
    ours = groups @ rows
    mean, other = ours / m[:, None], -ours / n[:, None]
    scatter = np.stack([rows[group].T @ rows[group] for group in groups])
    second = (scatter - m[:, None, None] * mean[:, :, None] * mean[:, None, :]) / (m - 1)[:, None, None]
    first = (whole - scatter - n[:, None, None] * other[:, :, None] * other[:, None, :]) / (n - 1)[:, None, None]
    spread, axes = np.linalg.eigh(first)
    root = (axes * np.sqrt(np.maximum(spread, 0))[:, None, :]) @ axes.transpose(0, 2, 1)
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ second @ root), 0)).sum(axis=1)
    traces = np.trace(first, axis1=1, axis2=2) + np.trace(second, axis1=1, axis2=2)
    return np.maximum(0.0, np.square(mean - other).sum(axis=1) + traces - 2 * cross)


def distance_of_rows(before: Matrix, after: Matrix) -> float:
    return distance_of_moments(before.mean(axis=0), np.cov(before.T), after.mean(axis=0), np.cov(after.T))


def distance_of_moments(first_mean: Matrix, first_cov: Matrix, second_mean: Matrix, second_cov: Matrix) -> float:
    """The distance of two normal laws; tr (Σ₁Σ₂)^½ = Σ√λ(Σ₁^½Σ₂Σ₁^½), by symmetric eigenvalues only."""
    first_cov, second_cov = np.atleast_2d(first_cov), np.atleast_2d(second_cov)
    spread, axes = np.linalg.eigh(first_cov)
    root = (axes * np.sqrt(np.maximum(spread, 0))) @ axes.T
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ second_cov @ root), 0)).sum()
    gap = float(np.square(first_mean - second_mean).sum())
    return max(0.0, gap + float(np.trace(first_cov) + np.trace(second_cov) - 2 * cross))
