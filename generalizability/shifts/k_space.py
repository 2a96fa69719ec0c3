"""MR artefacts that arise while k-space is filled line by line: ghosts, motion, spikes, undersampling, truncation.

All work within the slice (the last two axes); lines are rows of k-space, so ghosts move along the second-last axis.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import fft, ndimage

from generalizability.shifts.frame import Image, image_frame, level_for
from generalizability.shifts.severity_levels import (
    ACCELERATIONS,
    GHOST_STRENGTHS,
    KEPT_SHARES,
    MOTION_PX,
    SPIKE_STRENGTHS,
)

Spectrum = NDArray[np.complex128]
CENTRE_SHARE = 0.08


def ghosting(
    image: ArrayLike, *, severity: int, seed: int = 0, value_range: Sequence[float] | None = None
) -> NDArray[Any]:
    """Every n-th line (n = 3 to 6 by ``seed``) loses 10 to 70 % of its signal, as from periodic motion; centre kept.

    References
    ----------
    Axel, Summers, Kressel & Charles (1986), Radiology 160:778. Pérez-García et al. (2021), TorchIO.
    """
    frame = image_frame(image, value_range=value_range)
    strength = level_for(GHOST_STRENGTHS, severity)
    lines = np.arange(frame.values.shape[-2])
    every = int(np.random.default_rng(seed).integers(3, 7))
    factor = np.where((lines % every == 0) & ~_centre(lines.size), 1 - strength, 1.0)
    return frame.back(_magnitude(_spectrum(frame.values) * factor[:, None], frame.values))


def motion(
    image: ArrayLike, *, severity: int, seed: int = 0, value_range: Sequence[float] | None = None
) -> NDArray[Any]:
    """The patient moves twice: from two drawn moments on, lines come from a shifted and turned image.

    Shifts reach 1, 2, 3.5, 5, 8 pixels and turns as many half degrees.

    References
    ----------
    Shaw et al. (2019), MIDL, PMLR 102:427.
    """
    frame = image_frame(image, value_range=value_range)
    size = level_for(MOTION_PX, severity)
    rng = np.random.default_rng(seed)
    spectrum = fft.fftshift(_spectrum(frame.values), axes=-2)
    length = frame.values.shape[-2]
    for start in sorted(rng.uniform(0.15, 0.85, size=2)):
        angle, *offset = rng.uniform(0.5, 1.0, size=3) * rng.choice([-1, 1], size=3) * size
        moved = _moved(frame.values, angle / 2, offset)
        first = int(start * length)
        spectrum[..., first:, :] = fft.fftshift(_spectrum(moved), axes=-2)[..., first:, :]
    return frame.back(_magnitude(fft.ifftshift(spectrum, axes=-2), frame.values))


def spikes(
    image: ArrayLike, *, severity: int, seed: int = 0, value_range: Sequence[float] | None = None
) -> NDArray[Any]:
    """One electric spark per slice: a point of k-space gains 10 to 80 % of the largest value, giving stripes.

    References
    ----------
    Pérez-García, Sparks & Ourselin (2021), Comput Methods Programs Biomed 208:106236.
    """
    frame = image_frame(image, value_range=value_range)
    spectrum = _spectrum(frame.values)
    rng = np.random.default_rng(seed)
    height, width = frame.values.shape[-2:]
    row = int(rng.integers(height // 10 + 1, height // 2))
    column = int(rng.integers(width // 10 + 1, width // 2))
    strength = level_for(SPIKE_STRENGTHS, severity) * np.abs(spectrum).max(axis=(-2, -1))
    spectrum[..., row, column] += strength
    return frame.back(_magnitude(spectrum, frame.values))


def undersampling(
    image: ArrayLike, *, severity: int, seed: int = 0, value_range: Sequence[float] | None = None
) -> NDArray[Any]:
    """Only one line in 1.5, 2, 2.5, 3, 4 is measured (drawn at random, the central 8 % always), others are 0.

    References
    ----------
    Lustig, Donoho & Pauly (2007), Magnetic Resonance in Medicine 58:1182.
    """
    frame = image_frame(image, value_range=value_range)
    length = frame.values.shape[-2]
    centre = _centre(length)
    wanted = max(int(centre.sum()), round(length / level_for(ACCELERATIONS, severity)))
    others = np.random.default_rng(seed).permutation(np.flatnonzero(~centre))
    kept = centre.copy()
    kept[others[: wanted - int(centre.sum())]] = True
    return frame.back(_magnitude(_spectrum(frame.values) * kept[:, None], frame.values))


def truncation(
    image: ArrayLike, *, severity: int, seed: int = 0, value_range: Sequence[float] | None = None
) -> NDArray[Any]:
    """Gibbs ringing: only the inner 70, 55, 45, 35, 25 % of k-space is kept on both axes. Nothing is drawn.

    References
    ----------
    Czervionke et al. (1988), AJR 151:1219.
    """
    frame = image_frame(image, value_range=value_range)
    share = level_for(KEPT_SHARES, severity)
    kept = [np.abs(fft.fftfreq(length)) <= share / 2 for length in frame.values.shape[-2:]]
    return frame.back(_magnitude(_spectrum(frame.values) * (kept[0][:, None] & kept[1]), frame.values))


def _spectrum(values: Image) -> Spectrum:
    return np.asarray(fft.fft2(values))


def _magnitude(spectrum: Spectrum, like: Image) -> Image:
    """Back to the image: a magnitude for images that hold no negative value, else the real part."""
    image = fft.ifft2(spectrum)
    return np.asarray(np.abs(image) if like.min() >= 0 else image.real)


def _centre(length: int) -> NDArray[np.bool_]:
    """Which lines, in the order of the transform, belong to the centre of k-space."""
    return np.asarray(np.abs(fft.fftfreq(length)) <= CENTRE_SHARE / 2)


def _moved(values: Image, angle_degrees: float, offset_px: Sequence[float]) -> Image:
    turned = ndimage.rotate(values, angle_degrees, axes=(-2, -1), reshape=False, order=1, mode="nearest")
    return np.asarray(ndimage.shift(turned, [0.0] * (values.ndim - 2) + list(offset_px), order=1, mode="nearest"))
