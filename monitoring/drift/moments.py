"""Running mean and covariance of embeddings: what the Fréchet distance and Mahalanobis need, merged by addition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assurance.evidence.errors import InvalidInput, NotComputable
from monitoring.drift.state import pack, reader, same_shape, unpack


@dataclass(frozen=True, slots=True, eq=False)
class MomentState:
    """``centre`` (d,) and ``scatter`` (d, d) = Σ(x − centre)(x − centre)ᵀ of ``count`` cases.

    Merged by the update of Chan, Golub & LeVeque (1983), which does not cancel; merging in another order agrees to
    rounding (1e-12 of the spread).
    """

    kind: ClassVar[str] = "moments"
    centre: NDArray[np.float64]
    scatter: NDArray[np.float64]
    count: int = 0
    missing: int = 0

    @classmethod
    def from_values(cls, values: ArrayLike) -> MomentState:
        """``values`` (n, d); rows that hold NaN or infinity count as missing."""
        matrix = np.asarray(values, dtype=np.float64)
        if matrix.ndim != 2:
            raise InvalidInput("not_a_matrix", f"embeddings have shape {matrix.shape}: give (cases, width)")
        good = np.isfinite(matrix).all(axis=1)
        rows = matrix[good]
        centre = rows.mean(axis=0) if len(rows) else np.zeros(matrix.shape[1])
        return cls(centre, (rows - centre).T @ (rows - centre), len(rows), int((~good).sum()))

    @property
    def n(self) -> int:
        return self.count

    @property
    def width(self) -> int:
        return int(self.centre.size)

    @property
    def covariance(self) -> NDArray[np.float64]:
        """Sample covariance (d, d); ``too_few`` below two cases."""
        if self.count < 2:
            raise NotComputable("too_few", f"{self.count} cases: a covariance needs two or more")
        covariance: NDArray[np.float64] = self.scatter / (self.count - 1)
        return covariance

    def merge(self, other: MomentState) -> MomentState:
        same_shape(self, other, "width")
        count = self.count + other.count
        if not self.count or not other.count:
            whole = other if other.count else self
            return MomentState(whole.centre, whole.scatter, count, self.missing + other.missing)
        gap = other.centre - self.centre
        centre = self.centre + gap * (other.count / count)
        scatter = self.scatter + other.scatter + np.outer(gap, gap) * (self.count * other.count / count)
        return MomentState(centre, scatter, count, self.missing + other.missing)

    def fields(self) -> dict[str, Any]:
        return {
            "centre": pack(self.centre),
            "scatter": pack(self.scatter),
            "count": self.count,
            "missing": self.missing,
        }


@reader("moments")
def _read(fields: dict[str, Any]) -> MomentState:
    centre = unpack(fields["centre"], "float64")
    scatter = unpack(fields["scatter"], "float64").reshape(centre.size, centre.size)
    return MomentState(centre, scatter, fields["count"], fields["missing"])
