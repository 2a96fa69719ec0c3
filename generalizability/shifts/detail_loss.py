"""Loss of detail on any image: blur, pixelation, coarser sampling and lossy compression."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image as Picture
from scipy import ndimage

from generalizability.shifts.frame import Image, image_frame, level_for
from generalizability.shifts.severity_levels import BLUR_PX, JPEG_QUALITIES, PIXELATION_SCALES, SAMPLING_FACTORS


def blur(image: ArrayLike, *, severity: int, seed: int = 0, value_range: Sequence[float] | None = None) -> NDArray[Any]:
    """Normal blur within the slice, sd 0.5, 1, 1.5, 2.2, 3 pixels. Nothing is drawn.

    References
    ----------
    Hendrycks & Dietterich (2019), ICLR.
    """
    frame = image_frame(image, value_range=value_range)
    sigma = level_for(BLUR_PX, severity)
    return frame.back(ndimage.gaussian_filter(frame.values, _in_plane(frame.values, sigma, 0.0), mode="nearest"))


def pixelation(
    image: ArrayLike, *, severity: int, seed: int = 0, value_range: Sequence[float] | None = None
) -> NDArray[Any]:
    """Averages over blocks, scale 0.3 to 0.1 of the slice's sides. Nothing is drawn.

    References
    ----------
    Di Salvo, Doerrich & Ledig (2024), MedMNIST-C, arXiv:2406.17536.
    """
    frame = image_frame(image, value_range=value_range)
    scale = level_for(PIXELATION_SCALES, severity)
    values = frame.values
    for axis in (-2, -1):
        length = values.shape[axis]
        blocks = max(2, round(length * scale))
        member = np.arange(length) * blocks // length
        starts = np.searchsorted(member, np.arange(blocks))
        sizes = np.bincount(member, minlength=blocks)
        moved = np.moveaxis(values, axis, -1)
        means = np.add.reduceat(moved, starts, axis=-1) / sizes
        values = np.moveaxis(means[..., member], -1, axis)
    return frame.back(values)


def resampling(
    image: ArrayLike, *, severity: int, seed: int = 0, value_range: Sequence[float] | None = None
) -> NDArray[Any]:
    """Sampled 1.5 to 5 times coarser along one axis chosen by ``seed``, then brought back by straight lines.

    References
    ----------
    Billot et al. (2023), Medical Image Analysis 86:102789 (anisotropic sampling).
    """
    frame = image_frame(image, value_range=value_range)
    factor = level_for(SAMPLING_FACTORS, severity)
    axis = int(np.random.default_rng(seed).integers(frame.values.ndim))
    length = frame.values.shape[axis]
    coarse = np.linspace(0, length - 1, max(2, round(length / factor)))
    smooth = ndimage.gaussian_filter1d(frame.values, factor / 2.3548, axis=axis, mode="nearest")
    sampled = _interpolated(smooth, np.arange(length), coarse, axis)
    return frame.back(_interpolated(sampled, coarse, np.arange(length), axis))


def jpeg(image: ArrayLike, *, severity: int, seed: int = 0, value_range: Sequence[float] | None = None) -> NDArray[Any]:
    """Baseline JPEG at quality 50, 30, 15, 10, 7, slice by slice, through 8 bits. Nothing is drawn.

    References
    ----------
    Wallace (1992), IEEE Trans Consumer Electronics 38:xviii.
    """
    frame = image_frame(image, value_range=value_range)
    quality = int(level_for(JPEG_QUALITIES, severity))
    slices = frame.unit.reshape(-1, *frame.values.shape[-2:])
    decoded = np.stack([_through_jpeg(one, quality) for one in slices])
    return frame.from_unit(decoded.reshape(frame.values.shape))


def _through_jpeg(unit: Image, quality: int) -> Image:
    buffer = io.BytesIO()
    Picture.fromarray(np.rint(unit * 255).astype(np.uint8)).save(buffer, format="JPEG", quality=quality)
    buffer.seek(0)
    return np.asarray(Picture.open(buffer), dtype=np.float64) / 255


def _in_plane(values: Image, size: float, through_plane: float) -> list[float]:
    return [through_plane] * (values.ndim - 2) + [size, size]


def _interpolated(values: Image, old: NDArray[Any], new: NDArray[Any], axis: int) -> Image:
    moved = np.moveaxis(values, axis, -1)
    place = np.clip(np.searchsorted(old, new, side="right") - 1, 0, len(old) - 2)
    share = (new - old[place]) / (old[place + 1] - old[place])
    return np.moveaxis(moved[..., place] * (1 - share) + moved[..., place + 1] * share, -1, axis)
