"""The unit of analysis is the patient: grouping of cases and the bootstrap that moves whole patients."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assurance.evidence.errors import InvalidInput

Weights = NDArray[np.float64]


def patient_codes(patients: ArrayLike | None, *, n_cases: int) -> NDArray[np.intp]:
    """Return one whole number per case, equal within a patient, from 0 to n_patients − 1.

    ``None`` makes every case its own patient. Refused: another length than ``n_cases`` (``length_mismatch``).
    """
    if patients is None:
        return np.arange(n_cases)
    names = np.asarray(patients)
    if names.shape != (n_cases,):
        raise InvalidInput(
            "length_mismatch", f"patients has shape {names.shape}: give one value for each of {n_cases} cases"
        )
    if names.dtype.kind not in "biuf":
        names = names.astype(str)
    return np.unique(names, return_inverse=True)[1]


def clustered(codes: NDArray[np.intp]) -> bool:
    """True when some patient has more than one case."""
    return codes.size > 0 and int(codes.max()) + 1 < codes.size


def bootstrap_weights(codes: NDArray[np.intp], *, replicates: int, rng: np.random.Generator) -> Iterator[Weights]:
    """Yield ``replicates`` vectors of case weights: how often each case's patient was drawn with replacement."""
    n_patients = int(codes.max()) + 1
    for _ in range(replicates):
        drawn = np.bincount(rng.integers(0, n_patients, n_patients), minlength=n_patients)
        yield drawn[codes].astype(np.float64)


def bootstrap_quantiles(
    statistic: Callable[[Weights], float],
    codes: NDArray[np.intp],
    *,
    level: float,
    replicates: int,
    rng: np.random.Generator,
) -> tuple[float, float, int]:
    """Percentile interval of ``statistic(weights)`` over patients drawn with replacement.

    Replicates without a value (NaN: one class only) are dropped. Returns low, high and the number that counted;
    low and high are NaN when fewer than half counted.

    References
    ----------
    Efron & Tibshirani (1993), An Introduction to the Bootstrap, chapters 13 and 8 (whole units are resampled).
    """
    values = np.fromiter(
        (statistic(weights) for weights in bootstrap_weights(codes, replicates=replicates, rng=rng)), float, replicates
    )
    values = values[np.isfinite(values)]
    if values.size * 2 < replicates:
        return float("nan"), float("nan"), int(values.size)
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high), int(values.size)


def bootstrap_ratios(
    numerators: NDArray[np.float64],
    denominators: NDArray[np.float64],
    codes: NDArray[np.intp],
    *,
    replicates: int,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Replicates of Σ numerators / Σ denominators, shape (replicates,), drawn over patients; NaN where Σ = 0."""
    n_patients = int(codes.max()) + 1
    top = np.bincount(codes, numerators, minlength=n_patients)
    bottom = np.bincount(codes, denominators, minlength=n_patients)
    values = np.empty(replicates)
    with np.errstate(invalid="ignore", divide="ignore"):
        for index in range(replicates):
            drawn = rng.integers(0, n_patients, n_patients)
            values[index] = top[drawn].sum() / bottom[drawn].sum()
    return values
