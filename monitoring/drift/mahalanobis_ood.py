"""Share of cases far from the reference's centre, by Mahalanobis distance with a shrunken covariance."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import linalg

from assurance.evidence.finding import Finding
from monitoring.drift import thresholds
from monitoring.drift.outlying_share import Distance, outlying_share
from monitoring.drift.vectors import Matrix, pair


def mahalanobis_ood(
    reference: ArrayLike, current: ArrayLike, *, reference_patients: ArrayLike | None = None,
    current_patients: ArrayLike | None = None, alpha_watch: float = thresholds.ALPHA_WATCH,
    alpha_act: float = thresholds.ALPHA_ACT, seed: int = 0,
) -> Finding:  # fmt: skip
    """Share of current cases beyond the reference's 99th percentile of √((x − μ)ᵀΣ⁻¹(x − μ)), Ledoit–Wolf Σ.

    ``reference`` (n, d) and ``current`` (m, d) are embeddings; ``seed`` divides the reference (``outlying_share``).
    Source: Mahalanobis (1936); Ledoit & Wolf (2004), Journal of Multivariate Analysis 88:365.
    """
    pairs = pair(reference, current, key="mahalanobis_ood", reference_patients=reference_patients,
                 current_patients=current_patients, seed=seed, minimum=thresholds.OUTLYING.act_n)  # fmt: skip
    if isinstance(pairs, Finding):
        return pairs
    return outlying_share("mahalanobis_ood", *pairs, fit=_fit, alpha_watch=alpha_watch, alpha_act=alpha_act, seed=seed,
                          parameters={"covariance": "ledoit-wolf"})  # fmt: skip


def _fit(rows: Matrix) -> Distance:
    centre = rows.mean(axis=0)
    factor = linalg.cholesky(ledoit_wolf(rows), lower=True)

    def distance(cases: Matrix) -> NDArray[np.float64]:
        solved = linalg.solve_triangular(factor, (cases - centre).T, lower=True)
        return np.asarray(np.sqrt(np.square(solved).sum(axis=0)))

    return distance


def ledoit_wolf(rows: Matrix) -> Matrix:
    """Covariance (d, d) shrunk towards a multiple of the identity by the weight that minimises its expected error."""
    n, width = rows.shape
    centred = rows - rows.mean(axis=0)
    sample = centred.T @ centred / n
    scale = float(np.trace(sample)) / width
    squares = np.square(centred)
    spread = float((squares.T @ squares).sum()) / n - float(np.square(sample).sum())
    away = float(np.square(sample).sum()) - width * scale**2
    weight = 1.0 if away <= 0 else min(1.0, max(0.0, spread / n / away))
    shrunk: Matrix = (1 - weight) * sample
    shrunk[np.diag_indices(width)] += weight * scale + 1e-12 * max(scale, 1e-300)
    return shrunk
