"""Noise of the receiver: normal on any image, Rician on MR magnitude images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assurance.evidence.errors import InvalidInput
from generalizability.shifts.frame import Image, image_frame, level_for
from generalizability.shifts.severity_levels import GAUSSIAN_SHARES, RICIAN_SHARES


def gaussian_noise(
    image: ArrayLike, *, severity: int, seed: int = 0, value_range: Sequence[float] | None = None
) -> NDArray[Any]:
    """Independent normal noise, sd 2, 4, 6, 9, 12 % of the grey range; cut at black and white.

    References
    ----------
    Hendrycks & Dietterich (2019), ICLR.
    """
    frame = image_frame(image, value_range=value_range)
    noise = np.random.default_rng(seed).normal(size=frame.values.shape)
    return frame.from_unit(frame.unit + level_for(GAUSSIAN_SHARES, severity) * noise)


def rician_noise(
    image: ArrayLike, *, severity: int, seed: int = 0, value_range: Sequence[float] | None = None
) -> NDArray[Any]:
    """Magnitude of a noisy complex signal, √((x+n₁)²+n₂²), σ = 2, 4, 6, 9, 12 % of the 99th percentile.

    Refused: negative values, which a magnitude image cannot hold (``negative_magnitude``).

    References
    ----------
    Gudbjartsson & Patz (1995), Magnetic Resonance in Medicine 34:910.
    """
    frame = image_frame(image, value_range=value_range)
    sigma = level_for(RICIAN_SHARES, severity) * float(np.percentile(frame.values, 99))
    return frame.back(rician(frame.values, sigma=sigma, rng=np.random.default_rng(seed)))


def rician(magnitude: Image, *, sigma: float, rng: np.random.Generator) -> Image:
    """Rician noise of ``sigma`` in the unit of ``magnitude``; where the signal is 0 its mean is σ√(π/2)."""
    if (magnitude < 0).any():
        raise InvalidInput(
            "negative_magnitude", f"the image reaches down to {magnitude.min():g}: an MR magnitude is 0 or more"
        )
    real, imaginary = rng.normal(scale=sigma, size=(2, *magnitude.shape))
    return np.asarray(np.hypot(magnitude + real, imaginary))
