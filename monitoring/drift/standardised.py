"""Drift after giving the window the reference's case mix: what remains is not explained by other patients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assurance.evidence.checks import numeric_vector
from assurance.evidence.errors import InvalidInput, NotComputable
from assurance.evidence.finding import Finding
from monitoring.drift.distribution import Distribution, joint_digest
from monitoring.drift.w1_sd import w1_sd

SMALLEST_CELL = 5
SMALLEST_SAMPLE = 30.0
AGE_BANDS = (18.0, 40.0, 65.0)


@dataclass(frozen=True, slots=True)
class Standardised:
    """``crude`` and ``finding``: W1/σ before and after weighting; ``covered``: the reference share of usable cells."""

    crude: Finding
    finding: Finding
    effective_n: float
    covered: float
    explained: float

    def as_dict(self) -> dict[str, Any]:
        return {
            "crude": self.crude.value, "standardised": self.finding.value, "state": self.finding.state.value,
            "p_value": self.finding.null.p_value if self.finding.null else None, "effective_n": self.effective_n,
            "covered": self.covered, "explained": self.explained,
        }  # fmt: skip


def standardised(
    reference: ArrayLike, current: ArrayLike, *, reference_cells: Sequence[str], current_cells: Sequence[str],
    seed: int = 0,
) -> Standardised:  # fmt: skip
    """W1/σ of a signal when each cell of the case mix weighs as in the reference (direct standardisation).

    ``reference`` (n,) and ``current`` (m,) hold one signal, the cells name each case's group (``cells_of``). Cells with
    fewer than 5 cases on a side cannot be weighted and are left out on both. The null law is that of the effective
    sample size (Σw)²/Σw². ``explained`` is the share of the crude distance that the case mix accounts for.

    Raises
    ------
    InvalidInput
        Lengths that do not fit.
    NotComputable
        ``no_common_cells``: the usable cells hold under half of the reference, or weigh like under 30 cases.

    References
    ----------
    Kish (1965), Survey Sampling (effective size). Rothman & Greenland (1998), Modern Epidemiology (standardisation).
    """
    before = numeric_vector(reference, name="reference", at_least=0)
    after = numeric_vector(current, name="current", at_least=0)
    first, second = np.asarray(reference_cells, dtype=object), np.asarray(current_cells, dtype=object)
    for name, values, cells in (("reference", before, first), ("current", after, second)):
        if cells.shape != values.shape:
            raise InvalidInput(
                "length_mismatch", f"{name} has {values.size} values and {cells.size} cells: give one each"
            )
    first, second = first[np.isfinite(before)], second[np.isfinite(after)]
    before, after = before[np.isfinite(before)], after[np.isfinite(after)]
    names = np.array(sorted(set(first.tolist()) & set(second.tolist())), dtype=object)
    usable = [cell for cell in names if min((first == cell).sum(), (second == cell).sum()) >= SMALLEST_CELL]
    kept = np.isin(first, usable)
    covered = float(kept.mean()) if kept.size else 0.0
    weights = np.zeros(after.size)
    for cell in usable:
        here = second == cell
        weights[here] = (first[kept] == cell).mean() / here.sum()
    total = float(weights.sum())
    size = total**2 / float(weights @ weights) if total else 0.0
    if covered < 0.5 or size < SMALLEST_SAMPLE:
        raise NotComputable(
            "no_common_cells",
            f"groups that both sides hold cover {covered:.0%} of the reference and weigh like {size:.0f} cases: "
            f"50 % and {SMALLEST_SAMPLE:.0f} are needed",
        )
    crude = w1_sd(before, after, seed=seed)
    finding = w1_sd(before[kept], _weighted(after, weights * size / total), seed=seed)
    explained = 0.0
    if crude.value and finding.value is not None:
        explained = max(0.0, 1 - finding.value / crude.value)
    return Standardised(crude, finding, size, covered, explained)


def _weighted(values: NDArray[np.float64], weights: NDArray[np.float64]) -> Distribution:
    used = weights > 0
    positions, member = np.unique(values[used], return_inverse=True)
    masses: NDArray[np.float64] = np.bincount(member, weights[used]).astype(np.float64)
    digest = joint_digest(positions.astype("<f8").tobytes().hex(), masses.astype("<f8").tobytes().hex())
    return Distribution(positions, masses, int((~used).sum()), digest, exact=False)


def cells_of(factors: dict[str, ArrayLike]) -> list[str]:
    """One name for each case from its factors: levels as they are, ages and other numbers in bands.

    Ages are cut at 18, 40 and 65. An absent level is a level of its own.
    """
    parts = []
    for factor, values in factors.items():
        array = np.asarray(values, dtype=object)
        numbers = [value for value in array if value is not None and not isinstance(value, str)]
        if numbers and len(numbers) >= 0.5 * array.size:
            bands = np.array([np.nan if v is None or isinstance(v, str) else float(v) for v in array])
            place = np.searchsorted(AGE_BANDS, bands, side="right")
            labels = [
                band_name(int(at)) if np.isfinite(value) else "unknown" for at, value in zip(place, bands, strict=True)
            ]
        else:
            labels = ["unknown" if value is None or value != value or value == "" else str(value) for value in array]
        parts.append([f"{factor}={label}" for label in labels])
    return [";".join(cell) for cell in zip(*parts, strict=True)]


def band_name(place: int) -> str:
    """``under 18``, ``18-39``, ``40-64`` or ``65 and over``."""
    if place == 0:
        return f"under {AGE_BANDS[0]:g}"
    if place == len(AGE_BANDS):
        return f"{AGE_BANDS[-1]:g} and over"
    return f"{AGE_BANDS[place - 1]:g}-{AGE_BANDS[place] - 1:g}"
