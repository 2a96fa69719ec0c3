"""Kolmogorov–Smirnov on each principal component: where in the embedding the change lies."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from assurance.evidence.finding import Finding, NullLaw
from monitoring.drift import thresholds
from monitoring.drift.multiplicity import holm
from monitoring.drift.null_laws import LEVELS
from monitoring.drift.thresholds import on_sd_scale
from monitoring.drift.vector_finding import vector_finding
from monitoring.drift.vectors import COMPONENTS, Matrix, pair, whitening


def component_ks(
    reference: ArrayLike, current: ArrayLike, *, reference_patients: ArrayLike | None = None,
    current_patients: ArrayLike | None = None, alpha_watch: float = thresholds.ALPHA_WATCH,
    alpha_act: float = thresholds.ALPHA_ACT, seed: int = 0, components: int = COMPONENTS,
) -> Finding:  # fmt: skip
    """Largest KS distance over the reference's principal components (64 at most), with Holm's correction.

    ``reference`` (n, d) and ``current`` (m, d) are embeddings. With several cases per patient one case of each,
    drawn by ``seed``, is compared: KS needs independent cases. ``details["components"]`` lists the components whose
    adjusted p is at most α. Nearly blind to changes of spread; it localises what MMD and the classifier test detect.
    Source: Rabanser, Günnemann & Lipton (2019), NeurIPS; Holm (1979).
    """
    pairs = pair(reference, current, key="component_ks", reference_patients=reference_patients,
                 current_patients=current_patients, seed=seed, minimum=thresholds.KS.act_n)  # fmt: skip
    if isinstance(pairs, Finding):
        return pairs
    first, second = pairs
    axes = whitening(first.rows, components=components)
    before, after = (axes(side.rows[side.one_per_patient(seed=seed)]) for side in (first, second))
    distances = column_distances(before, after)
    n, m = len(before), len(after)
    p_values = column_p_values(distances, n, m)
    raised = holm(p_values)
    worst = int(p_values.argmin())
    moved = [
        {"component": int(place), "d": float(distances[place]), "p_adjusted": float(raised[place])}
        for place in np.argsort(raised, kind="stable")[:20]
        if raised[place] <= alpha_watch
    ]
    value = float(distances[worst])
    return vector_finding(
        "component_ks", value, first, second, null=corrected_law(distances.size, n, m, float(raised[worst]), "Holm"),
        row=thresholds.KS, effect=on_sd_scale("ks", value), judged_effect=value, alpha_watch=alpha_watch,
        alpha_act=alpha_act, seed=seed, parameters={"components": int(distances.size)}, details={"components": moved},
    )  # fmt: skip


def column_distances(before: Matrix, after: Matrix) -> NDArray[np.float64]:
    """KS distance of each column."""
    found = np.empty(before.shape[1])
    for column in range(before.shape[1]):
        x, y = np.sort(before[:, column]), np.sort(after[:, column])
        points = np.concatenate((x, y))
        gaps = np.searchsorted(x, points, side="right") / x.size - np.searchsorted(y, points, side="right") / y.size
        found[column] = np.abs(gaps).max()
    return found


def column_p_values(distances: NDArray[np.float64], n: int, m: int) -> NDArray[np.float64]:
    return np.asarray(special.kolmogorov(np.sqrt(n * m / (n + m)) * distances))


def corrected_law(columns: int, n: int, m: int, p_value: float, correction: str) -> NullLaw:
    """Quantiles of the largest of ``columns`` distances by Bonferroni, an upper bound under any dependence."""
    root = np.sqrt(n * m / (n + m))
    quantiles = {f"{level:g}": float(special.kolmogi((1 - level) / columns) / root) for level in LEVELS}
    return NullLaw(f"Kolmogorov limit, {correction} over {columns}", quantiles, p_value)
