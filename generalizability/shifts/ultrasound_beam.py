"""Ultrasound with more speckle, another gain, weaker depth or a shadow. The beam runs down the second-last axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from generalizability.shifts.frame import image_frame, level_for
from generalizability.shifts.severity_levels import ATTENUATIONS, GAINS, SHADOWS, SPECKLES


def speckle(
    image: ArrayLike, *, severity: int, seed: int = 0, value_range: Sequence[float] | None = None
) -> NDArray[Any]:
    """Multiplicative noise x·(1 + σ·R), R Rayleigh with scale 1, σ = 0.1 to 0.5; cut at white.

    References
    ----------
    Burckhardt (1978), IEEE Trans Sonics Ultrasonics 25:1.
    """
    frame = image_frame(image, value_range=value_range)
    rayleigh = np.random.default_rng(seed).rayleigh(size=frame.values.shape)
    return frame.from_unit(frame.unit * (1 + level_for(SPECKLES, severity) * rayleigh))


def gain(image: ArrayLike, *, severity: int, seed: int = 0, value_range: Sequence[float] | None = None) -> NDArray[Any]:
    """Overall gain 1.15 to 2, cut at white. Nothing is drawn.

    References
    ----------
    Szabo (2014), Diagnostic Ultrasound Imaging: Inside Out, chapter 10.
    """
    frame = image_frame(image, value_range=value_range)
    return frame.from_unit(frame.unit * level_for(GAINS, severity))


def depth_attenuation(
    image: ArrayLike, *, severity: int, seed: int = 0, value_range: Sequence[float] | None = None
) -> NDArray[Any]:
    """Signal falls with depth as exp(−k·z), z = 0 at the probe to 1, k = 0.4 to 2.5. Nothing is drawn.

    References
    ----------
    Szabo (2014), Diagnostic Ultrasound Imaging: Inside Out, chapter 4.
    """
    frame = image_frame(image, value_range=value_range)
    depth = np.linspace(0, 1, frame.values.shape[-2])[:, None]
    return frame.from_unit(frame.unit * np.exp(-level_for(ATTENUATIONS, severity) * depth))


def shadow(
    image: ArrayLike, *, severity: int, seed: int = 0, value_range: Sequence[float] | None = None
) -> NDArray[Any]:
    """A shadow behind one strong reflector: a strip with soft sides, place by ``seed``, darker by 30 to 90 %.

    References
    ----------
    Feldman, Katyal & Blackwood (2009), RadioGraphics 29:1179.
    """
    frame = image_frame(image, value_range=value_range)
    rng = np.random.default_rng(seed)
    height, width = frame.values.shape[-2:]
    centre, start = rng.uniform(0.25, 0.75) * width, rng.uniform(0.1, 0.4) * height
    across = np.exp(-(((np.arange(width) - centre) / (0.08 * width)) ** 4))
    below = 1 / (1 + np.exp(-(np.arange(height) - start) / (0.02 * height)))
    return frame.from_unit(frame.unit * (1 - level_for(SHADOWS, severity) * below[:, None] * across))
