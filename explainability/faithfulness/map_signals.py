"""A map as a few scalars, so that a change in what the model looks at can be watched like any other signal."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from explainability.faithfulness.graded import Graded, strength
from explainability.faithfulness.randomisation import map_entropy

SIGNALS = {  # name: unit
    "mass_in_region": "1", "entropy": "bit", "centroid_down": "1", "centroid_across": "1", "top_overlap": "1",
}  # fmt: skip


def map_signals(graded: Graded, *, top: float = 0.05) -> dict[str, float | None]:
    """``mass_in_region`` share of relevance in the anatomy's mask; ``entropy`` in bits of the 100-bin histogram;
    ``centroid_down`` and ``centroid_across`` the centre of relevance as shares of the image's last two axes;
    ``top_overlap`` the share of the strongest ``top`` pixels that lie in the mask. None where there is no mask.
    """
    values = strength(graded.attribution).astype(np.float64)
    region = graded.region if graded.region is not None and graded.region.any() else None
    total = float(values.sum())
    return {
        "mass_in_region": float(values[region].sum() / total) if region is not None else None,
        "entropy": map_entropy(graded.attribution.grid_values),
        "centroid_down": _centre(values, -2) / values.shape[-2],
        "centroid_across": _centre(values, -1) / values.shape[-1],
        "top_overlap": float(region[top_pixels(values, top)].mean()) if region is not None else None,
    }


def top_pixels(values: NDArray[np.float64], share: float) -> NDArray[np.bool_]:
    size = max(1, round(share * values.size))
    chosen = np.zeros(values.size, dtype=bool)
    chosen[np.argpartition(-values.ravel(), size - 1)[:size]] = True
    return chosen.reshape(values.shape)


def _centre(values: NDArray[np.float64], axis: int) -> float:
    others = tuple(number for number in range(values.ndim) if number != axis % values.ndim)
    weights = values.sum(axis=others)
    return float((weights * (np.arange(weights.size) + 0.5)).sum() / weights.sum())
