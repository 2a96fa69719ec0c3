"""What embeddings of one reference are measured in: without it day states of different days could not be merged."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

from assurance.evidence.errors import InvalidInput
from monitoring.drift.embedding import FEATURES, EmbeddingState, median_distance
from monitoring.drift.moments import MomentState
from monitoring.drift.state import pack, unpack
from monitoring.drift.vectors import COMPONENTS, whitening

FEWEST_ROWS = 20
MOST_ROWS = 20_000  # for the axes and the bandwidth; more rows do not make them better


@dataclass(frozen=True, slots=True, eq=False)
class Ruler:
    """``centre`` (d,) and ``axes`` (d, k), the whitened principal components of the reference, and its ``bandwidth``.

    A day of 512-wide embeddings becomes 1,024 sums and moments of 64 components: some 40 kB, however many cases.
    """

    centre: NDArray[np.float64]
    axes: NDArray[np.float64]
    bandwidth: float
    seed: int
    features: int = FEATURES

    @classmethod
    def of(cls, reference: ArrayLike, *, seed: int = 0, features: int = FEATURES) -> Ruler:
        """Fitted on the reference alone, on at most 20,000 of its rows, drawn by ``seed``.

        Raises
        ------
        InvalidInput
            ``not_a_matrix``; ``too_few`` below 20 complete rows; ``no_spread`` when all are the same.
        """
        matrix = np.asarray(reference, dtype=np.float64)
        if matrix.ndim != 2:
            raise InvalidInput("not_a_matrix", f"embeddings have shape {matrix.shape}: give (cases, width)")
        rows = matrix[np.isfinite(matrix).all(axis=1)]
        if len(rows) < FEWEST_ROWS:
            raise InvalidInput("too_few", f"{len(rows)} complete embeddings: {FEWEST_ROWS} are needed")
        if len(rows) > MOST_ROWS:
            rows = rows[np.sort(np.random.default_rng(seed).choice(len(rows), MOST_ROWS, replace=False))]
        if not rows.std(axis=0).any():
            raise InvalidInput("no_spread", "every embedding of the reference is the same")
        fitted = whitening(rows, components=COMPONENTS)
        wide = median_distance(rows, seed=seed) or float(rows.std())
        return cls(fitted.centre, fitted.axes, wide, seed, features)

    @property
    def width(self) -> int:
        return int(self.centre.size)

    def states(self, values: ArrayLike) -> tuple[EmbeddingState, MomentState]:
        """Random-feature sums of ``values`` (n, d), and moments of their components.

        Rows with NaN or infinity count as missing, and so does every row of a table of another width: another model's
        vectors cannot be compared, and that they came stays visible.
        """
        matrix = np.asarray(values, dtype=np.float64)
        if matrix.ndim != 2 or matrix.shape[1] != self.width:
            matrix = np.full((len(matrix), self.width), np.nan)
        sums = EmbeddingState.from_values(matrix, bandwidth=self.bandwidth, seed=self.seed, features=self.features)
        return sums, MomentState.from_values((matrix - self.centre) @ self.axes)

    def to_bytes(self) -> bytes:
        fields = {
            "centre": pack(self.centre), "axes": pack(self.axes), "bandwidth": self.bandwidth, "seed": self.seed,
            "features": self.features,
        }  # fmt: skip
        return msgspec.msgpack.encode(fields, order="deterministic")

    @classmethod
    def from_bytes(cls, content: bytes) -> Ruler:
        fields = msgspec.msgpack.decode(content)
        centre = unpack(fields["centre"], "float64")
        axes = unpack(fields["axes"], "float64").reshape(centre.size, -1)
        return cls(centre, axes, fields["bandwidth"], fields["seed"], fields["features"])
