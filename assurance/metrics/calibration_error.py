"""How far predicted probabilities lie from observed shares: binned, debiased and smooth calibration error."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import fft

from assurance.evidence.checks import binary_vector, same_length, share_vector
from assurance.evidence.errors import InvalidInput
from assurance.evidence.finding import Finding
from assurance.metrics.measured import array_digest, checked_level, interval_around, judged, method_record
from assurance.metrics.patients import bootstrap_weights, patient_codes

Vector = NDArray[np.float64]
GRID = 1000  # cells of the unit interval for the smooth error; its rounding is at most half a cell
FREQUENCIES = np.pi * np.arange(GRID)


def ece(labels: ArrayLike, scores: ArrayLike, *, bins: int = 15, equal_mass: bool = False, **options: Any) -> Finding:
    """Expected calibration error Σ_b n_b/n·|observed share − mean score| over ``bins`` bins, 0..1.

    The familiar number, biased upward: chance alone makes it positive. Read it beside ``smooth_ece`` or
    ``debiased_calibration_error``. ``equal_mass`` cuts the bins at quantiles of the scores instead of equal widths.

    References
    ----------
    Naeini, Cooper & Hauskrecht (2015), AAAI. Bias: Kumar, Liang & Ma (2019), NeurIPS.
    """

    def statistic(weights: Vector, truth: Vector, scores: Vector, cells: NDArray[np.intp]) -> float:
        n, observed, expected = _bin_sums(weights, truth, scores, cells, bins)
        return float(np.abs(observed - expected).sum() / n.sum())

    return _finding("ece", labels, scores, statistic, bins=bins, equal_mass=equal_mass, **options)


def debiased_calibration_error(
    labels: ArrayLike, scores: ArrayLike, *, bins: int = 15, equal_mass: bool = True, **options: Any
) -> Finding:
    """Root mean square calibration error with the sampling variance of each bin taken off, 0..1.

    √max(0, Σ_b n_b/n·[(ȳ−p̄)² − ȳ(1−ȳ)/(n_b−1)]); bins with one case carry no information and count 0.

    References
    ----------
    Kumar, Liang & Ma (2019), NeurIPS, arXiv:1909.10155; Bröcker (2012), Climate Dynamics 39:655.
    """

    def statistic(weights: Vector, truth: Vector, scores: Vector, cells: NDArray[np.intp]) -> float:
        n, observed, expected = _bin_sums(weights, truth, scores, cells, bins)
        used = n > 1
        share = observed[used] / n[used]
        squared = (share - expected[used] / n[used]) ** 2 - share * (1 - share) / (n[used] - 1)
        return math.sqrt(max(0.0, float(n[used] @ squared / n.sum())))

    return _finding(
        "debiased_calibration_error", labels, scores, statistic, bins=bins, equal_mass=equal_mass, **options
    )


def smooth_ece(labels: ArrayLike, scores: ArrayLike, **options: Any) -> Finding:
    """Smooth calibration error: the residuals are smoothed with a reflected normal kernel, then |.| is integrated.

    The kernel width σ is the one at which the error equals σ, so that no bin width is chosen.

    References
    ----------
    Błasiok & Nakkiran (2023), Smooth ECE, arXiv:2309.12236.
    """

    def statistic(weights: Vector, truth: Vector, scores: Vector, cells: NDArray[np.intp]) -> float:
        residuals = np.bincount(cells, weights * (truth - scores), minlength=GRID) / weights.sum()

        waves = fft.dct(residuals, norm="ortho")  # cosines are the waves that a reflecting border leaves as they are

        def error(width: float) -> float:
            return float(np.abs(fft.idct(waves * np.exp(-((width * FREQUENCIES) ** 2) / 2), norm="ortho")).sum())

        low, high = 1.0 / GRID, 1.0
        if error(low) <= low:
            return error(low)
        for _ in range(12):
            middle = (low + high) / 2
            low, high = (middle, high) if error(middle) > middle else (low, middle)
        return error(low)

    return _finding(
        "smooth_ece", labels, scores, statistic, bins=GRID, equal_mass=False, default_replicates=200, **options
    )


def reliability_bins(labels: ArrayLike, scores: ArrayLike, *, bins: int = 10) -> list[dict[str, float]]:
    """Points of the reliability diagram: per quantile bin of the scores its n, mean score and observed share."""
    truth = binary_vector(labels, name="labels")
    values = share_vector(scores, name="scores")
    same_length(labels=truth, scores=values)
    cells = _cells(values, bins, equal_mass=True)
    n, observed, expected = _bin_sums(np.ones(truth.size), truth.astype(float), values, cells, bins)
    return [
        {"n_cases": int(count), "mean_score": float(mean / count), "observed_share": float(hits / count)}
        for count, hits, mean in zip(n, observed, expected, strict=True)
        if count
    ]


def _cells(values: Vector, bins: int, *, equal_mass: bool) -> NDArray[np.intp]:
    if not 2 <= bins <= 100_000:
        raise InvalidInput("bad_bins", f"bins is {bins}: give a whole number from 2 to 100000")
    if equal_mass:
        edges = np.unique(np.quantile(values, np.linspace(0, 1, bins + 1)[1:-1]))
        return np.searchsorted(edges, values, side="left")
    return np.minimum((values * bins).astype(np.intp), bins - 1)


def _bin_sums(
    weights: Vector, truth: Vector, scores: Vector, cells: NDArray[np.intp], bins: int
) -> tuple[Vector, Vector, Vector]:
    n, observed, expected = (
        np.bincount(cells, column, minlength=bins).astype(float)
        for column in (weights, weights * truth, weights * scores)
    )
    return n, observed, expected


def _finding(
    key: str,
    labels: ArrayLike,
    scores: ArrayLike,
    statistic: Callable[[Vector, Vector, Vector, NDArray[np.intp]], float],
    *,
    bins: int,
    equal_mass: bool,
    patients: ArrayLike | None = None,
    level: float = 0.95,
    replicates: int | None = None,
    default_replicates: int = 1000,
    seed: int = 0,
    minimum_cases: int = 200,
    limit: float | None = None,
) -> Finding:
    """Value and patient bootstrap. The bootstrap repeats the noise once more and so sits too high by as much as the
    estimate's own bias; the interval is therefore turned round the estimate (basic bootstrap, cut at 0)."""
    truth = binary_vector(labels, name="labels")
    values = share_vector(scores, name="scores")
    same_length(labels=truth, scores=values)
    draws_wanted = default_replicates if replicates is None else replicates
    cells, outcome = _cells(values, bins, equal_mass=equal_mass), truth.astype(float)
    error = statistic(np.ones(truth.size), outcome, values, cells)
    codes = patient_codes(patients, n_cases=truth.size)
    rng = np.random.default_rng(seed)
    draws = [
        statistic(weights, outcome, values, cells)
        for weights in bootstrap_weights(codes, replicates=draws_wanted, rng=rng)
    ]
    low, high = np.quantile(draws, [(1 - checked_level(level)) / 2, (1 + level) / 2])
    bounds = interval_around(
        error, max(0.0, 2 * error - high), max(0.0, 2 * error - low), level=level, method="patient_bootstrap_basic"
    )
    too_few = f"{truth.size} cases: {minimum_cases} are needed" if truth.size < minimum_cases else ""
    state, reason = judged(error, bounds, limit=limit, higher_is_better=False, too_few=too_few)
    return Finding(
        quantity=key,
        value=error,
        unit="1",
        state=state,
        reason=reason,
        n_cases=truth.size,
        n_patients=None if patients is None else int(codes.max()) + 1,
        interval=bounds,
        minimum_n=minimum_cases,
        method=method_record(
            key,
            f"assurance.metrics.calibration_error:{key}",
            seed=seed,
            bins=bins,
            equal_mass=equal_mass,
            level=level,
            limit=limit,
            replicates=draws_wanted,
        ),
        input_digest=array_digest(labels=truth, scores=values, patients=patients),
        details={"mean_score": float(values.mean()), "prevalence": float(truth.mean())},
    )
