"""Residuals of a series with weeks, a yearly wave and a memory: what a chart may be laid on when its points have these.

A CUSUM designed for one false alarm in 370 points gives one in 122, 62 or 39 where neighbours correlate by 0.2, 0.4 or
0.6, and one in 70 with a yearly wave of half a standard deviation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assurance.evidence.checks import finite_vector
from assurance.evidence.errors import InvalidInput
from monitoring.sequential.result import Vector

YEAR = 365.2425
SPARE = 30  # baseline points beyond the model's own parameters


@dataclass(frozen=True, slots=True, eq=False)
class Residuals:
    """``z`` (n,) in standard deviations of the baseline's residuals, 0 within the baseline; what the model holds."""

    z: Vector
    terms: tuple[str, ...]
    memory: float
    sd: float
    notes: tuple[str, ...]


def seasonal_residuals(values: ArrayLike, days: ArrayLike, *, baseline: int) -> Residuals:
    """z = (e_t − φ·e_{t−1}) / sd, e the residuals of a least-squares fit to the first ``baseline`` points.

    Parameters
    ----------
    values : array of shape (n,)
        One value per window, in time order.
    days : array of shape (n,)
        The day of each point (dates or ISO text). The model has a level, a step for each day of the week that the
        baseline holds several of, and a yearly wave (sine and cosine) when the baseline spans a year or more.
    baseline : int
        Points that define normal. They are not judged themselves.

    Returns
    -------
    Residuals
        ``memory`` is φ, the correlation of neighbouring residuals, 0 where it is not above what chance gives.

    Raises
    ------
    InvalidInput
        ``length_mismatch``, ``bad_days`` (not dates, or not in order), ``bad_baseline`` when it is longer than the
        series or has fewer than 30 points beyond the model's parameters, ``constant_baseline``.

    References
    ----------
    Alwan & Roberts (1988), Journal of Business & Economic Statistics 6:87 (charts of residuals).
    """
    series = finite_vector(values, name="values")
    dates = _dates(days, series.size)
    if not 2 <= baseline <= series.size:
        raise InvalidInput("bad_baseline", f"baseline {baseline}: give 2 to {series.size} points of the series")
    design, terms, notes = _design(dates, baseline)
    if baseline < design.shape[1] + SPARE:
        raise InvalidInput(
            "bad_baseline", f"baseline {baseline}: {' and '.join(terms)} need {design.shape[1] + SPARE} points or more"
        )
    line = np.linalg.lstsq(design[:baseline], series[:baseline], rcond=None)[0]
    left = series - design @ line
    first = left[:baseline]
    whole = float(first @ first)
    if whole <= 1e-18 * float(series[:baseline] @ series[:baseline]) or whole == 0:
        raise InvalidInput("constant_baseline", "the model leaves nothing of the baseline: there is no spread to chart")
    memory = float(first[1:] @ first[:-1]) / whole
    if abs(memory) <= 1.96 / np.sqrt(baseline):
        memory = 0.0
    fresh = left - memory * np.concatenate(([0.0], left[:-1]))
    sd = float(np.sqrt(np.square(fresh[1:baseline]).sum() / (baseline - 1 - design.shape[1] - (memory != 0))))
    z = fresh / sd
    z[:baseline] = 0.0  # these points define normal, so they cannot be judged by it
    return Residuals(z, terms, memory, sd, notes)


def _dates(days: ArrayLike, size: int) -> NDArray[np.datetime64]:
    try:
        dates = np.asarray(days).astype("datetime64[D]")
    except (ValueError, TypeError) as error:
        raise InvalidInput("bad_days", f"days are no dates: {error}") from error
    if dates.shape != (size,):
        raise InvalidInput("length_mismatch", f"{size} values and {dates.size} days: give one each")
    if np.isnat(dates).any() or (np.diff(dates).astype(int) < 0).any():
        raise InvalidInput("bad_days", "days are missing or not in order: give them from the oldest to the newest")
    return dates


def _design(dates: NDArray[np.datetime64], baseline: int) -> tuple[Vector, tuple[str, ...], tuple[str, ...]]:
    numbers = dates.astype(int)
    weekday = (numbers + 3) % 7  # 0 is Monday
    columns, terms, notes = [np.ones(dates.size)], ["level"], []
    counts = np.bincount(weekday[:baseline], minlength=7)
    usual = [day for day in range(7) if counts[day] >= 4]
    if len(usual) > 1:
        columns += [(weekday == day).astype(float) for day in usual[1:]]
        terms.append("day of the week")
        unseen = sorted(set(weekday[baseline:].tolist()) - set(usual))
        if unseen:
            notes.append(f"{len(unseen)} days of the week are rare in the baseline and take the first day's level")
    if numbers[baseline - 1] - numbers[0] >= YEAR - 14:
        phase = 2 * np.pi * numbers / YEAR
        columns += [np.sin(phase), np.cos(phase)]
        terms.append("yearly wave")
    else:
        notes.append("the baseline is shorter than a year: a yearly wave is not taken out")
    return np.column_stack(columns), tuple(terms), tuple(notes)
