"""Do generated images look like real ones? Distances between embeddings, against what two real halves give."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import distance

from assurance.evidence.errors import InvalidInput
from assurance.evidence.finding import Finding, NullLaw, State
from assurance.metrics.measured import array_digest, method_record
from generalizability.synthetic.embedding_tables import embedding_pair

Vector = NDArray[np.float64]
MINIMUM_IMAGES = 50


def kernel_distance(first: Vector, second: Vector) -> float:
    """KID: unbiased squared MMD with the cubic polynomial kernel (x·y/d + 1)³; can be slightly below 0.

    References
    ----------
    Bińkowski et al. (2018), ICLR, arXiv:1801.01401.
    """
    width = first.shape[1]

    def kernel(a: Vector, b: Vector) -> Vector:
        return np.asarray((a @ b.T / width + 1) ** 3)

    return _unbiased(kernel(first, first), kernel(second, second), kernel(first, second))


def rbf_distance(first: Vector, second: Vector) -> float:
    """CMMD-type: unbiased squared MMD with a normal kernel whose width is the median distance within ``first``.

    References
    ----------
    Jayasumana et al. (2024), CVPR, arXiv:2401.09603. Gretton et al. (2012), JMLR 13:723.
    """
    within = distance.cdist(first, first, "sqeuclidean")
    scale = 2 * float(np.median(within[np.triu_indices_from(within, 1)])) or 1.0
    across = distance.cdist(first, second, "sqeuclidean")
    theirs = distance.cdist(second, second, "sqeuclidean")
    return _unbiased(np.exp(-within / scale), np.exp(-theirs / scale), np.exp(-across / scale))


def frechet_distance(first: Vector, second: Vector) -> float:
    """‖μ₁−μ₂‖² + tr(Σ₁ + Σ₂ − 2(Σ₁Σ₂)^½). Biased upward in small samples: read against the same-n null only.

    References
    ----------
    Heusel et al. (2017), NeurIPS (FID); Dowson & Landau (1982), J Multivariate Analysis 12:450.
    """
    shift = first.mean(axis=0) - second.mean(axis=0)
    one, two = (np.atleast_2d(np.cov(table, rowvar=False)) for table in (first, second))
    values, axes = np.linalg.eigh(one)
    root = (axes * np.sqrt(np.clip(values, 0, None))) @ axes.T
    shared = np.linalg.eigvalsh(root @ two @ root)
    return float(shift @ shift + np.trace(one) + np.trace(two) - 2 * np.sqrt(np.clip(shared, 0, None)).sum())


DISTANCES: dict[str, Callable[[Vector, Vector], float]] = {
    "kid": kernel_distance,
    "rbf_mmd": rbf_distance,
    "frechet": frechet_distance,
}


def fidelity(
    real: ArrayLike, synthetic: ArrayLike, *, metric: str = "kid", splits: int = 100, seed: int = 0
) -> Finding:
    """Distance of generated from real images beside that of two real halves of the same size.

    Parameters
    ----------
    real, synthetic : arrays of shape (n, d) and (m, d)
        Embeddings of one encoder, preferably of the medical domain.
    metric : {"kid", "rbf_mmd", "frechet"}
        ``kid`` and ``rbf_mmd`` are unbiased.
    splits : int
        Random draws; each compares min(m, n/2) generated images and as many real ones with a disjoint real part.

    Returns
    -------
    Finding
        Mean distance over the draws; ``null`` holds quantiles of real against real and the share of those as large
        (p-value). ``details["ratio"]`` is value ÷ mean of real against real, where that is above 0. ``watch`` when the
        value exceeds the null's 99th percentile; an encoder decides the ranking, so never ``act`` on this alone.

    References
    ----------
    Bińkowski et al. (2018), arXiv:1801.01401. Konz et al. (2025), arXiv:2412.01496 (medical encoders).
    """
    if metric not in DISTANCES:
        raise InvalidInput("unknown_metric", f"metric {metric!r} is not known: choose one of {', '.join(DISTANCES)}")
    truth, made = embedding_pair(real, synthetic, at_least=4)
    size = min(len(made), len(truth) // 2)
    rng = np.random.default_rng(seed)
    measure = DISTANCES[metric]
    real_real, real_made = np.empty(splits), np.empty(splits)
    for index in range(splits):
        order = rng.permutation(len(truth))
        here, there = truth[order[:size]], truth[order[size : 2 * size]]
        real_real[index] = measure(here, there)
        real_made[index] = measure(here, made[rng.permutation(len(made))[:size]])
    value, chance = float(real_made.mean()), float(real_real.mean())
    quantiles = {str(share): float(np.quantile(real_real, share)) for share in (0.95, 0.99)}
    p_value = (1 + int((real_real >= value).sum())) / (1 + splits)
    few = size < MINIMUM_IMAGES
    state = State.INSUFFICIENT if few else (State.WATCH if value > quantiles["0.99"] else State.OK)
    reason = f"{size} images a side: {MINIMUM_IMAGES} are needed" if few else ""
    if state is State.WATCH:
        reason = "generated images lie further from real ones than real halves from each other"
    return Finding(
        quantity=f"synthetic_{metric}",
        value=value,
        unit="1",
        state=state,
        reason=reason,
        n_cases=len(made),
        n_reference=len(truth),
        null=NullLaw("real against real, same size", quantiles, p_value),
        minimum_n=MINIMUM_IMAGES,
        method=method_record(
            f"synthetic_{metric}", "generalizability.synthetic.fidelity:fidelity", seed=seed, splits=splits, size=size
        ),
        input_digest=array_digest(real=truth, synthetic=made),
        details={"real_real_mean": chance, "ratio": value / chance if chance > 0 else None, "criterion": "congruence"},
    )


def _unbiased(first: Vector, second: Vector, across: Vector) -> float:
    n, m = len(first), len(second)
    inner = (first.sum() - np.trace(first)) / (n * (n - 1)) + (second.sum() - np.trace(second)) / (m * (m - 1))
    return float(inner - 2 * across.mean())
