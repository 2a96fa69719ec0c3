"""Fréchet distance of embeddings, against what the same sizes give without drift."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assurance.evidence.finding import Finding, Method, State
from monitoring.drift import state as states
from monitoring.drift import thresholds
from monitoring.drift.comparison import VERSION
from monitoring.drift.distribution import joint_digest
from monitoring.drift.moments import MomentState
from monitoring.drift.state import same_shape
from monitoring.drift.thresholds import Row
from monitoring.drift.vector_finding import drawn_law, vector_finding
from monitoring.drift.vectors import COMPONENTS, FEWEST_PATIENTS, Matrix, pair, shuffled_groups, whitening
from monitoring.drift.verdict import verdict

PERMUTATIONS = 199


def frechet(
    reference: Any, current: Any, *, reference_patients: ArrayLike | None = None,
    current_patients: ArrayLike | None = None, alpha_watch: float = thresholds.ALPHA_WATCH,
    alpha_act: float = thresholds.ALPHA_ACT, seed: int = 0, permutations: int = PERMUTATIONS,
    components: int = COMPONENTS,
) -> Finding:  # fmt: skip
    """‖μ₁ − μ₂‖² + tr(Σ₁ + Σ₂ − 2(Σ₁Σ₂)^½) on the reference's whitened principal components (64 at most).

    ``reference`` (n, d) and ``current`` (m, d) are embeddings, or sequences of MomentState of disjoint blocks (days)
    in the reference's whitened components (``Ruler``), whose blocks are dealt instead of patients. The value has a
    large bias in small samples, so it is only read against its null law: the pooled patients dealt anew
    ``permutations`` times by ``seed``. ``effect`` is √(value − null median), the Mahalanobis shift that would explain
    the excess. With 199 deals p is 0.005 at best: the state is never ``act``; raise ``permutations`` to 999 for that.
    Source: Dowson & Landau (1982), Journal of Multivariate Analysis 12:450; Heusel et al. (2017), NeurIPS.
    """
    if isinstance(reference, Sequence) and reference and isinstance(reference[0], MomentState):
        return _of_states(reference, current, alpha_watch, alpha_act, seed, permutations)
    pairs = pair(reference, current, key="frechet", reference_patients=reference_patients,
                 current_patients=current_patients, seed=seed, minimum=thresholds.W1_SD.act_n)  # fmt: skip
    if isinstance(pairs, Finding):
        return pairs
    first, second = pairs
    axes = whitening(first.rows, components=components)
    rows = axes(np.concatenate((first.rows, second.rows)))
    mine = np.arange(len(rows)) >= first.n
    value = float(dealt_distances(rows, mine[None, :])[0])
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


def _of_states(
    reference: Sequence[MomentState], current: Sequence[MomentState], alpha_watch: float, alpha_act: float, seed: int,
    permutations: int,
) -> Finding:  # fmt: skip
    """The same from blocks: their counts, sums and sums of squares add up, so a dealing is a sum over its blocks."""
    sides = [[one for one in side if one.n] for side in (reference, current)]
    units = len(sides[0]), len(sides[1])
    blocks = sides[0] + sides[1]
    n, m = (sum(one.n for one in side) for side in sides)
    digest = joint_digest(*(joint_digest(*sorted(states.digest(one) for one in side)) for side in sides))
    if min(units) < FEWEST_PATIENTS:
        reason = f"reference has {units[0]} and current {units[1]} blocks: both need {FEWEST_PATIENTS} or more"
        return Finding("frechet", None, "1", State.INSUFFICIENT, m, Method("frechet", "vigil", VERSION, {}, seed),
                       digest, n_reference=n, reason=reason, minimum_n=thresholds.W1_SD.act_n)  # fmt: skip
    for one in blocks:
        same_shape(blocks[0], one, "width")
    counts = np.array([one.n for one in blocks], dtype=np.float64)
    centre = counts @ np.array([one.centre for one in blocks]) / counts.sum()
    sums = np.array([one.n * (one.centre - centre) for one in blocks])
    squares = np.array([one.scatter + one.n * np.outer(one.centre - centre, one.centre - centre) for one in blocks])
    mine = np.arange(len(blocks)) >= units[0]
    dealt = np.random.default_rng(seed).permuted(np.broadcast_to(mine, (permutations, mine.size)), axis=1)
    value = float(_of_sums(counts, sums, squares, mine[None, :])[0])
    drawn = _of_sums(counts, sums, squares, dealt)
    null = drawn_law(drawn, value, f"{permutations} deals of {len(blocks)} blocks")
    effect = math.sqrt(max(0.0, value - null.quantiles["0.5"]))
    row = _row(drawn, n, m)
    state, reason, minimum = verdict(
        effect=effect, p_value=float(null.p_value or 1.0), n=n, m=m, row=row, alpha_watch=alpha_watch,
        alpha_act=alpha_act,
    )  # fmt: skip
    settings = {"alpha_watch": alpha_watch, "alpha_act": alpha_act, "watch": row.watch, "act": row.act,
                "components": int(centre.size), "permutations": permutations}  # fmt: skip
    missing = sum(one.missing for one in current)
    return Finding(
        quantity="frechet", value=value, unit="1", state=state, n_cases=m, n_reference=n,
        method=Method("frechet", "vigil", VERSION, settings, seed), input_digest=digest, null=null, effect=effect,
        minimum_n=minimum, reason=reason,
        details={"missing_share": missing / (m + missing), "blocks": list(units), "null_mean": float(drawn.mean()),
                 "ratio_to_null_mean": value / float(drawn.mean())},
    )  # fmt: skip


def _of_sums(counts: Matrix, sums: Matrix, squares: Matrix, groups: NDArray[np.bool_]) -> Matrix:
    weights = groups.astype(np.float64)
    scatter = (weights @ squares.reshape(len(squares), -1)).reshape(len(groups), *squares.shape[1:])
    return _distances(weights @ counts, counts.sum(), weights @ sums, scatter, squares.sum(axis=0))


def dealt_distances(rows: Matrix, groups: NDArray[np.bool_]) -> Matrix:
    """The distance for each dealing of the rows (R, N)."""
    rows = rows - rows.mean(axis=0)
    scatter = np.stack([rows[group].T @ rows[group] for group in groups])
    return _distances(groups.sum(axis=1).astype(np.float64), float(len(rows)), groups @ rows, scatter, rows.T @ rows)


def _distances(m: Matrix, total: float, ours: Matrix, scatter: Matrix, whole: Matrix) -> Matrix:
    """From counts (R,), sums (R, k) and sums of squares (R, k, k) of one side; the other's are the whole's less these.

    The whole is centred.
    """
    n = total - m
    mean, other = ours / m[:, None], -ours / n[:, None]
    second = (scatter - m[:, None, None] * mean[:, :, None] * mean[:, None, :]) / (m - 1)[:, None, None]
    first = (whole - scatter - n[:, None, None] * other[:, :, None] * other[:, None, :]) / (n - 1)[:, None, None]
    # Each dealt reference whitens for itself, as the real one did: axes of the real one would make it look special.
    factor = np.linalg.cholesky(first + 1e-9 * np.trace(whole) / total * np.eye(whole.shape[0]) / whole.shape[0])
    inverse = np.linalg.inv(factor)
    spread = inverse @ second @ inverse.transpose(0, 2, 1)
    gap = (inverse @ (mean - other)[:, :, None])[:, :, 0]
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(spread), 0)).sum(axis=1)
    traces = whole.shape[0] + np.trace(spread, axis1=1, axis2=2)
    return np.asarray(np.maximum(0.0, np.square(gap).sum(axis=1) + traces - 2 * cross))


def distance_of_moments(first_mean: Matrix, first_cov: Matrix, second_mean: Matrix, second_cov: Matrix) -> float:
    """The distance of two normal laws; tr (Σ₁Σ₂)^½ = Σ√λ(Σ₁^½Σ₂Σ₁^½), by symmetric eigenvalues only."""
    first_cov, second_cov = np.atleast_2d(first_cov), np.atleast_2d(second_cov)
    spread, axes = np.linalg.eigh(first_cov)
    root = (axes * np.sqrt(np.maximum(spread, 0))) @ axes.T
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ second_cov @ root), 0)).sum()
    gap = float(np.square(first_mean - second_mean).sum())
    return max(0.0, gap + float(np.trace(first_cov) + np.trace(second_cov) - 2 * cross))
