"""Random-feature sums of embeddings: a week of 512-wide vectors in a few kilobytes, merged by addition."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assurance.evidence.errors import InvalidInput
from monitoring.drift.state import pack, reader, same_shape, unpack

FEATURES = 1024
SCALE = 2**30  # one unit of a stored sum is 2^-30 of a cosine: 8·10⁹ cases fit into 64 bits
INPUT_STEP, DIRECTION_STEP = 2.0**-20, 2.0**-15


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddingState:
    """Sum and count of φ(x) = D^{-1/2}[cos Wx, sin Wx], W ~ N(0, 1/s²) drawn by ``seed`` (Rahimi & Recht 2007).

    The sum is kept in whole numbers, so that it does not depend on the order of cases or on how they were divided.
    """

    kind: ClassVar[str] = "embedding"
    width: int
    bandwidth: float
    seed: int
    total: NDArray[np.int64]
    count: int = 0
    missing: int = 0

    @classmethod
    def from_values(
        cls, values: ArrayLike, *, bandwidth: float, seed: int = 0, features: int = FEATURES
    ) -> EmbeddingState:
        """Sum the features of ``values`` (n, d); rows that hold NaN or infinity count as missing.

        ``bandwidth`` s is the median pairwise distance of the reference and must stay the same for all states that
        are to be compared.

        Raises
        ------
        InvalidInput
            ``not_a_matrix``, ``bad_bandwidth``.
        """
        matrix = np.asarray(values, dtype=np.float64)
        if matrix.ndim != 2:
            raise InvalidInput("not_a_matrix", f"embeddings have shape {matrix.shape}: give (cases, width)")
        if not bandwidth > 0:
            raise InvalidInput("bad_bandwidth", f"bandwidth {bandwidth} must be above 0")
        good = np.isfinite(matrix).all(axis=1)
        waves = _waves(matrix[good], bandwidth=bandwidth, seed=seed, features=features)
        total = np.rint(waves * SCALE).astype(np.int64).sum(axis=0)
        return cls(matrix.shape[1], float(bandwidth), seed, total, int(good.sum()), int((~good).sum()))

    @property
    def n(self) -> int:
        return self.count

    @property
    def sums(self) -> NDArray[np.float64]:
        """Σφ, shape (D,)."""
        sums: NDArray[np.float64] = self.total / (SCALE * np.sqrt(self.total.size // 2))
        return sums

    def merge(self, other: EmbeddingState) -> EmbeddingState:
        same_shape(self, other, "width", "bandwidth", "seed")
        if self.total.size != other.total.size:
            raise InvalidInput(
                "states_differ", f"cannot merge {self.total.size} random features with {other.total.size}"
            )
        return EmbeddingState(
            self.width, self.bandwidth, self.seed, self.total + other.total, self.count + other.count,
            self.missing + other.missing,
        )  # fmt: skip

    def fields(self) -> dict[str, Any]:
        return {
            "width": self.width, "bandwidth": self.bandwidth, "seed": self.seed, "total": pack(self.total),
            "count": self.count, "missing": self.missing,
        }  # fmt: skip


def random_features(
    matrix: NDArray[np.float64], *, bandwidth: float, seed: int, features: int = FEATURES
) -> NDArray[np.float64]:
    """φ of each row, (n, features); the first half are cosines, the second sines."""
    return _waves(matrix, bandwidth=bandwidth, seed=seed, features=features) / np.sqrt(features // 2)


def _waves(matrix: NDArray[np.float64], *, bandwidth: float, seed: int, features: int) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    directions = rng.standard_normal((matrix.shape[1], features // 2))
    # On these grids every partial sum of the product is exact while |x|/s < 64, so a row's features do not depend on
    # the rows beside it, as they otherwise would in the last bits.
    directions = np.rint(directions / DIRECTION_STEP) * DIRECTION_STEP
    rows = np.rint(matrix / (bandwidth * INPUT_STEP)) * INPUT_STEP
    angles = rows @ directions
    return np.concatenate((np.cos(angles), np.sin(angles)), axis=1)


def median_distance(matrix: ArrayLike, *, seed: int = 0, at_most: int = 1000) -> float:
    """Median pairwise distance of up to ``at_most`` rows: the bandwidth s of the reference."""
    rows = np.asarray(matrix, dtype=np.float64)
    if len(rows) > at_most:
        rows = rows[np.random.default_rng(seed).choice(len(rows), at_most, replace=False)]
    squares = np.square(rows).sum(axis=1)
    distances = np.sqrt(np.maximum(0.0, squares[:, None] + squares[None, :] - 2 * rows @ rows.T))
    return float(np.median(distances[np.triu_indices(len(rows), 1)]))


@reader("embedding")
def _read(fields: dict[str, Any]) -> EmbeddingState:
    return EmbeddingState(
        fields["width"], fields["bandwidth"], fields["seed"], unpack(fields["total"], "int64"), fields["count"],
        fields["missing"],
    )  # fmt: skip
