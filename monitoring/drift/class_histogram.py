"""Scores by class: what a mergeable AUROC needs once labels have come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assurance.evidence.checks import binary_vector, same_length, share_vector
from assurance.evidence.errors import NotComputable
from monitoring.drift.binned import BINS, BinnedState
from monitoring.drift.state import reader, unpack


@dataclass(frozen=True, slots=True, eq=False)
class ClassHistogramState:
    """Scores in [0, 1] of positives and of negatives; AUROC from it is within ½Σp⁺p⁻ of the raw data's."""

    kind: ClassVar[str] = "class_histogram"
    positive: BinnedState
    negative: BinnedState

    @classmethod
    def from_values(cls, labels: ArrayLike, scores: ArrayLike, *, bins: int = BINS) -> ClassHistogramState:
        truth = binary_vector(labels, name="labels", at_least=0)
        score = share_vector(scores, name="scores", at_least=0)
        same_length(labels=truth, scores=score)
        return cls(BinnedState.from_values(score[truth], bins=bins), BinnedState.from_values(score[~truth], bins=bins))

    @property
    def n(self) -> int:
        return self.positive.n + self.negative.n

    @property
    def missing(self) -> int:
        return self.positive.missing + self.negative.missing

    def merge(self, other: ClassHistogramState) -> ClassHistogramState:
        return ClassHistogramState(self.positive.merge(other.positive), self.negative.merge(other.negative))

    def fields(self) -> dict[str, Any]:
        return {"positive": self.positive.fields(), "negative": self.negative.fields()}

    def auroc(self) -> float:
        """Share of (positive, negative) pairs in the right order, ties by half; ``one_class`` without both classes."""
        if not self.positive.n or not self.negative.n:
            raise NotComputable("one_class", "AUROC needs cases of both classes")
        positive: NDArray[np.float64] = self.positive.counts / self.positive.n
        negative: NDArray[np.float64] = self.negative.counts / self.negative.n
        below = np.concatenate(([0.0], np.cumsum(negative)[:-1]))
        return float((positive * (below + negative / 2)).sum())


@reader("class_histogram")
def _read(fields: dict[str, Any]) -> ClassHistogramState:
    def part(inner: dict[str, Any]) -> BinnedState:
        return BinnedState(
            inner["low"],
            inner["high"],
            unpack(inner["counts"], "int64"),
            inner["under"],
            inner["over"],
            inner["missing"],
        )

    return ClassHistogramState(part(fields["positive"]), part(fields["negative"]))
