"""Another rendering of the same measurement: contrast, gamma and brightness."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.typing import ArrayLike, NDArray

from generalizability.shifts.frame import image_frame, level_for
from generalizability.shifts.severity_levels import CONTRASTS, GAMMAS, OFFSETS


def contrast(
    image: ArrayLike, *, severity: int, seed: int = 0, value_range: Sequence[float] | None = None
) -> NDArray[Any]:
    """Distances from the mean grey value shrink to 0.85, 0.7, 0.55, 0.4, 0.25. Nothing is drawn.

    References
    ----------
    Hendrycks & Dietterich (2019), ICLR.
    """
    frame = image_frame(image, value_range=value_range)
    mean = frame.unit.mean()
    return frame.from_unit(mean + level_for(CONTRASTS, severity) * (frame.unit - mean))


def gamma(
    image: ArrayLike, *, severity: int, seed: int = 0, value_range: Sequence[float] | None = None
) -> NDArray[Any]:
    """Grey values on the 0..1 scale to the power 1.15, 1.3, 1.5, 1.75, 2. Nothing is drawn.

    References
    ----------
    Di Salvo, Doerrich & Ledig (2024), MedMNIST-C, arXiv:2406.17536.
    """
    frame = image_frame(image, value_range=value_range)
    return frame.from_unit(frame.unit ** level_for(GAMMAS, severity))


def brightness(
    image: ArrayLike, *, severity: int, seed: int = 0, value_range: Sequence[float] | None = None
) -> NDArray[Any]:
    """Grey values raised by 0.05, 0.1, 0.15, 0.2, 0.3 of the range, cut at white. Nothing is drawn.

    References
    ----------
    Hendrycks & Dietterich (2019), ICLR.
    """
    frame = image_frame(image, value_range=value_range)
    return frame.from_unit(frame.unit + level_for(OFFSETS, severity))
