"""The door of the shift simulators: an image and a severity come in, the same kind of image goes out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assurance.evidence.errors import InvalidInput

Image = NDArray[np.float64]


@dataclass(frozen=True)
class Frame:
    """A checked image as float64, with the grey values that count as black and white and the type to give back."""

    values: Image
    low: float
    high: float
    dtype: np.dtype[Any]

    @property
    def unit(self) -> Image:
        """The image on the scale 0 (black) to 1 (white), clipped."""
        span = self.high - self.low
        return np.clip((self.values - self.low) / span, 0, 1) if span > 0 else np.zeros_like(self.values)

    def from_unit(self, unit: Image) -> NDArray[Any]:
        """Grey values for an image on the 0..1 scale, in the type that came in."""
        return self.back(self.low + np.clip(unit, 0, 1) * (self.high - self.low))

    def back(self, values: Image) -> NDArray[Any]:
        """``values`` in the type that came in; whole-number types are rounded and kept inside their range."""
        if self.dtype.kind in "iu":
            limits = np.iinfo(self.dtype)
            return np.clip(np.rint(values), limits.min, limits.max).astype(self.dtype)
        return values.astype(self.dtype)


def image_frame(
    image: ArrayLike, *, value_range: Sequence[float] | None = None, dimensions: tuple[int, ...] = (2, 3)
) -> Frame:
    """Check an image of shape (H, W) or (D, H, W).

    ``value_range`` gives the grey values of black and white; by default the whole range of an 8-bit image, else the
    smallest and largest value.

    Raises
    ------
    InvalidInput
        ``not_an_image`` (dimensions, fewer than 8 pixels on an image side, not numeric), ``not_finite``, ``bad_range``.
    """
    array = np.asarray(image)
    wanted = " or ".join("(H, W)" if count == 2 else "(D, H, W)" for count in dimensions)
    if array.ndim not in dimensions or array.dtype.kind not in "iuf" or min(array.shape[-2:], default=0) < 8:
        raise InvalidInput(
            "not_an_image", f"the image has shape {array.shape} and type {array.dtype}: give numbers {wanted}"
        )
    values = array.astype(np.float64)
    if not np.isfinite(values).all():
        raise InvalidInput("not_finite", "the image holds NaN or infinity: every pixel must be a finite number")
    if value_range is not None:
        low, high = (float(edge) for edge in value_range)
        if not (np.isfinite([low, high]).all() and high > low):
            raise InvalidInput(
                "bad_range", f"value_range is {low:g}..{high:g}: give two finite numbers, the smaller first"
            )
    elif array.dtype == np.uint8:
        low, high = 0.0, 255.0
    else:
        low, high = float(values.min()), float(values.max())
    return Frame(values, low, high, array.dtype)


def level_for(levels: Sequence[float], severity: int) -> float:
    """The parameter of ``severity`` 1 to 5 (``bad_severity`` otherwise)."""
    if severity not in (1, 2, 3, 4, 5):
        raise InvalidInput("bad_severity", f"severity is {severity}: give a whole number from 1 to 5")
    return levels[severity - 1]


def step_mm(spacing_mm: Sequence[float] | None, *, ndim: int, default: float) -> tuple[float, ...]:
    """Pixel size per axis in mm, or ``default`` on every axis where it is not known."""
    if spacing_mm is None:
        return (default,) * ndim
    steps = tuple(float(step) for step in spacing_mm)
    if len(steps) != ndim or not all(np.isfinite(step) and step > 0 for step in steps):
        raise InvalidInput("bad_spacing", f"spacing_mm is {steps}: give {ndim} positive sizes in mm, one per axis")
    return steps
