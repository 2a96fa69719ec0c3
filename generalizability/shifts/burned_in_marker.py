"""A side marker burned into the image: the classic shortcut of radiograph models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from generalizability.shifts.frame import image_frame, level_for
from generalizability.shifts.severity_levels import HEIGHT_SHARES

LETTERS = {  # on a grid of five rows and four columns
    "L": ("1000", "1000", "1000", "1000", "1111"),
    "R": ("1110", "1001", "1110", "1010", "1001"),
}


def marker(
    image: ArrayLike, *, severity: int, seed: int = 0, value_range: Sequence[float] | None = None
) -> NDArray[Any]:
    """A white L or R (by ``seed``) in one upper corner, 4 to 15 % of the image's height; on each slice of a volume.

    References
    ----------
    Zech et al. (2018), PLoS Medicine 15:e1002683.
    """
    frame = image_frame(image, value_range=value_range)
    rng = np.random.default_rng(seed)
    letter = LETTERS["LR"[int(rng.integers(2))]]
    height, width = frame.values.shape[-2:]
    cell = max(1, round(level_for(HEIGHT_SHARES, severity) * height / 5))
    glyph = np.kron(np.array([[int(dot) for dot in row] for row in letter]), np.ones((cell, cell))) > 0
    glyph = glyph[: height - 1, : width - 1]
    margin_row = min(height // 20, height - glyph.shape[0])
    margin_column = min(width // 20, width - glyph.shape[1])
    first = margin_column if rng.integers(2) else width - margin_column - glyph.shape[1]
    unit = frame.unit.copy()
    unit[..., margin_row : margin_row + glyph.shape[0], first : first + glyph.shape[1]][..., glyph] = 1.0
    return frame.from_unit(unit)
