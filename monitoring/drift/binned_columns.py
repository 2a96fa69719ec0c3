"""Counts in equal bins for whole columns at memory speed, and the statistics of many windows at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assurance.evidence.errors import InvalidInput
from monitoring.drift.binned import BinnedState
from monitoring.drift.bins import smoothed_shares

Vector = NDArray[np.float64]


class ColumnCounter:
    """Counts one column chunk by chunk; gives the same state as ``BinnedState.from_values`` of all chunks together.

    The bin is an affine function of the value (scale, clip, count): no search and no sort.
    """

    def __init__(self, *, low: float, high: float, bins: int) -> None:
        if not low < high:
            raise InvalidInput("bad_bounds", f"low {low} must be below high {high}")
        self.low, self.high, self.bins = float(low), float(high), bins
        self._scale = bins / (high - low)
        self._counts = np.zeros(bins + 2, dtype=np.int64)  # under, the bins, over
        self._missing = 0

    def add(self, values: Vector) -> None:
        """``values`` (n,); NaN counts as missing, infinities as under and over."""
        place = values - self.low
        place *= self._scale
        if np.isnan(place.sum()):  # one pass to learn that none is missing, which is the common case
            known = ~np.isnan(values)
            self._missing += int(values.size - known.sum())
            place, values = place[known], values[known]
        np.floor(place, out=place)
        np.clip(place, -1.0, float(self.bins), out=place)
        cells = place.astype(np.intp)
        cells += 1
        counts = np.bincount(cells, minlength=self.bins + 2)
        over = int((values > self.high).sum())  # ``high``, and what rounding lifted to it, belong to the last bin
        counts[self.bins] += counts[self.bins + 1] - over
        counts[self.bins + 1] = over
        self._counts += counts

    def result(self) -> BinnedState:
        under, over = int(self._counts[0]), int(self._counts[-1])
        return BinnedState(self.low, self.high, self._counts[1:-1].copy(), under, over, self._missing)


@dataclass(frozen=True, eq=False)
class WindowStatistics:
    """Each of shape (windows,): W1 in reference sd, KS, PSI and JS (base 2) over reference-decile bins."""

    w1_sd: Vector
    ks: Vector
    psi: Vector
    js: Vector


def window_statistics(reference: BinnedState, windows: list[BinnedState]) -> WindowStatistics:
    """The four statistics of many windows against one reference, from their counts alone.

    All states need equal bounds and bins. The values are those of the detectors on the same states; evidence and
    verdict are theirs to give.
    """
    for window in windows:
        if (window.low, window.high, window.counts.size) != (reference.low, reference.high, reference.counts.size):
            raise InvalidInput("states_differ", "windows and reference must have equal bounds and bins")
    positions, masses = reference.masses()
    table = np.array([window.masses()[1] for window in windows]).reshape(len(windows), positions.size)
    before = np.cumsum(masses) / masses.sum()
    after = np.cumsum(table, axis=1)
    after /= after[:, -1:]
    gaps = np.abs(after - before)
    mean = float(positions @ masses) / masses.sum()
    sd = float(np.sqrt(np.square(positions - mean) @ masses / masses.sum()))
    edges = _decile_places(before, masses)
    starts = np.concatenate(([0], edges + 1))
    p_counts = np.add.reduceat(masses, starts)
    q_counts = np.add.reduceat(table, starts, axis=1)
    p, q = smoothed_shares(p_counts), (q_counts + 0.5) / (q_counts + 0.5).sum(axis=1, keepdims=True)
    psi = ((q - p) * np.log(q / p)).sum(axis=1)
    plain_p, plain_q = p_counts / p_counts.sum(), q_counts / q_counts.sum(axis=1, keepdims=True)
    middle = (plain_p + plain_q) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        left = np.where(plain_p > 0, plain_p * np.log2(plain_p / middle), 0.0).sum(axis=1)
        right = np.where(plain_q > 0, plain_q * np.log2(plain_q / middle), 0.0).sum(axis=1)
    return WindowStatistics(
        w1_sd=gaps[:, :-1] @ np.diff(positions) / sd, ks=gaps.max(axis=1), psi=psi,
        js=np.sqrt(np.maximum(0.0, (left + right) / 2)),
    )  # fmt: skip


def _decile_places(before: Vector, masses: Vector) -> NDArray[np.intp]:
    """Last place of each bin but the last, as ``decile_edges`` cuts: the first with each tenth of the cases."""
    total = masses.sum()
    wanted = np.arange(1, 10) / 10 * total - 1e-9
    places = np.unique(np.searchsorted(before * total, wanted, side="left"))
    last = int(np.flatnonzero(masses)[-1])
    return places[places < last]
