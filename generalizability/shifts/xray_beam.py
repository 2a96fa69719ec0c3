"""What changes in a radiograph with dose, scatter and tube voltage, worked out on the intensity behind the patient.

A radiograph as shown (bright = dense) is taken as log-attenuation: grey 0 is the open beam, grey 1 an attenuation of
``DEPTH`` nepers. Intensity is exp(−DEPTH·grey), so 1 in the open field and 0.018 behind the densest part.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from generalizability.shifts.frame import image_frame, level_for, step_mm
from generalizability.shifts.severity_levels import ENERGY_GAMMAS, EXPOSURES, SCATTER_RATIOS

DEPTH = 4.0
PHOTONS = 2000.0  # per pixel in the open field at full exposure
DETECTOR_MM = 400.0  # side of the detector where the pixel size is not known
SCATTER_FWHM_MM = 80.0


def exposure(
    image: ArrayLike, *, severity: int, seed: int = 0, value_range: Sequence[float] | None = None
) -> NDArray[Any]:
    """Fewer photons: Poisson(f·N·I)/(f·N) with f = 0.7, 0.5, 0.3, 0.2, 0.1. Shape (H, W) or (D, H, W).

    References
    ----------
    Barrett & Myers (2004), Foundations of Image Science, chapter 11 (Poisson statistics of photons).
    """
    frame = image_frame(image, value_range=value_range)
    photons = level_for(EXPOSURES, severity) * PHOTONS
    counts = np.random.default_rng(seed).poisson(photons * np.exp(-DEPTH * frame.unit))
    return frame.from_unit(-np.log(np.maximum(counts, 0.5) / photons) / DEPTH)


def scatter(
    image: ArrayLike,
    *,
    severity: int,
    seed: int = 0,
    spacing_mm: Sequence[float] | None = None,
    value_range: Sequence[float] | None = None,
) -> NDArray[Any]:
    """No grid: intensity (I + r·(I∗K))/(1 + r), scatter-to-primary ratio r = 0.2 to 2, K a normal of 8 cm width.

    Nothing is drawn, so ``seed`` changes nothing. Without ``spacing_mm`` the longer side is taken as 400 mm.

    References
    ----------
    Boone & Seibert (1988), Medical Physics 15:713.
    """
    frame = image_frame(image, value_range=value_range)
    ratio = level_for(SCATTER_RATIOS, severity)
    height, width = frame.values.shape[-2:]
    steps = step_mm(spacing_mm, ndim=frame.values.ndim, default=DETECTOR_MM / max(height, width))[-2:]
    sigmas = [SCATTER_FWHM_MM / 2.3548 / step for step in steps]
    primary = np.exp(-DEPTH * frame.unit)
    spread = ndimage.gaussian_filter(primary, [0.0] * (primary.ndim - 2) + sigmas, mode="nearest")
    return frame.from_unit(-np.log((primary + ratio * spread) / (1 + ratio)) / DEPTH)


def beam_energy(
    image: ArrayLike, *, severity: int, seed: int = 0, value_range: Sequence[float] | None = None
) -> NDArray[Any]:
    """Another tube voltage: gamma 0.95 to 0.75 on the log-attenuation. Nothing is drawn.

    A stand-in for the two-material model, which needs both energies.

    References
    ----------
    Alvarez & Macovski (1976), Phys Med Biol 21:733 (the two-material model that this approximates).
    """
    frame = image_frame(image, value_range=value_range)
    return frame.from_unit(frame.unit ** level_for(ENERGY_GAMMAS, severity))
