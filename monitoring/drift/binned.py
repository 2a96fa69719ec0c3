"""Counts in equal bins: the exact state of a bounded signal up to one bin's width."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assurance.evidence.checks import numeric_vector
from assurance.evidence.errors import InvalidInput
from monitoring.drift.state import pack, reader, same_shape, unpack

BINS = 1000


@dataclass(frozen=True, slots=True, eq=False)
class BinnedState:
    """``counts`` (B,) over ``low..high``; values outside go to ``under`` and ``over``, absent ones to ``missing``.

    The W1 distance of two such states is within one bin width of the raw data's, KS within the heavier sample's
    largest bin mass.
    """

    kind: ClassVar[str] = "binned"
    low: float
    high: float
    counts: NDArray[np.int64]
    under: int = 0
    over: int = 0
    missing: int = 0

    @classmethod
    def from_values(cls, values: ArrayLike, *, low: float = 0.0, high: float = 1.0, bins: int = BINS) -> BinnedState:
        """Bin ``values`` (n,); NaN counts as missing, infinities as under and over. ``high`` belongs to the last bin.

        Raises
        ------
        InvalidInput
            ``bad_bounds`` when low is not below high; ``not_numeric`` and ``not_a_vector`` as the door checks them.
        """
        if not low < high:
            raise InvalidInput("bad_bounds", f"low {low} must be below high {high}")
        vector = numeric_vector(values, name="values", at_least=0)
        known = vector[~np.isnan(vector)]
        inside = known[(known >= low) & (known <= high)]
        index = np.minimum(((inside - low) * (bins / (high - low))).astype(np.int64), bins - 1)
        return cls(
            low=float(low), high=float(high), counts=np.bincount(index, minlength=bins).astype(np.int64),
            under=int((known < low).sum()), over=int((known > high).sum()), missing=int(vector.size - known.size),
        )  # fmt: skip

    @property
    def n(self) -> int:
        return int(self.counts.sum()) + self.under + self.over

    def merge(self, other: BinnedState) -> BinnedState:
        same_shape(self, other, "low", "high")
        if self.counts.size != other.counts.size:
            raise InvalidInput("states_differ", f"cannot merge {self.counts.size} bins with {other.counts.size}")
        return BinnedState(
            self.low, self.high, self.counts + other.counts, self.under + other.under, self.over + other.over,
            self.missing + other.missing,
        )  # fmt: skip

    def fields(self) -> dict[str, Any]:
        return {
            "low": self.low, "high": self.high, "counts": pack(self.counts), "under": self.under, "over": self.over,
            "missing": self.missing,
        }  # fmt: skip

    def masses(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Where the cases lie: (B+2,) positions (bin centres, with the bounds for what lies outside) and counts."""
        width = (self.high - self.low) / self.counts.size
        centres = self.low + width * (np.arange(self.counts.size) + 0.5)
        positions = np.concatenate(([self.low], centres, [self.high]))
        return positions, np.concatenate(([self.under], self.counts, [self.over])).astype(np.float64)


@reader("binned")
def _read(fields: dict[str, Any]) -> BinnedState:
    return BinnedState(
        fields["low"],
        fields["high"],
        unpack(fields["counts"], "int64"),
        fields["under"],
        fields["over"],
        fields["missing"],
    )
