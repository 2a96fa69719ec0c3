"""CT at lower dose, with another reconstruction kernel, with thicker slices. Images in HU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import fft, ndimage

from assurance.evidence.errors import InvalidInput, NotComputable
from generalizability.shifts.frame import Image, image_frame, level_for, step_mm
from generalizability.shifts.severity_levels import DOSES, KERNEL_PX, THICKNESSES_MM

LARGEST_GAIN = 4.0  # a sharper kernel must not blow up frequencies at which there is only noise


def ct_dose(
    image: ArrayLike,
    *,
    severity: int,
    seed: int = 0,
    noise_sd_hu: float | None = None,
    value_range: Sequence[float] | None = None,
) -> NDArray[Any]:
    """Dose 50, 25, 15, 10, 5 %: adds noise of variance σ²(1/a − 1) whose spectrum is that of filtered back-projection.

    The image-domain way, for when raw data are away; see :func:`low_dose_line_integrals` for the other.
    ``noise_sd_hu`` is the noise of the full-dose image; by default it is measured from the finest differences.

    Raises
    ------
    NotComputable
        The image holds no noise to scale (``no_noise``); give ``noise_sd_hu``.

    References
    ----------
    Yu et al. (2012), J Comput Assist Tomogr 36:477. Riederer, Pelc & Chesler (1978), Phys Med Biol 23:446 (spectrum).
    """
    frame = image_frame(image, value_range=value_range)
    share = level_for(DOSES, severity)
    noise_sd = measured_noise(frame.values) if noise_sd_hu is None else float(noise_sd_hu)
    if not noise_sd > 0:
        raise NotComputable("no_noise", "the image holds no noise that dose could scale: give noise_sd_hu")
    rows, columns = (fft.fftfreq(length) for length in frame.values.shape[-2:])
    radius = np.hypot(rows[:, None], columns)
    ramp = np.sqrt(radius) * np.exp(-((radius / 0.35) ** 2) / 2)  # power ∝ |f| times the kernel's roll-off
    ramp /= np.sqrt(np.mean(ramp**2))
    white = np.random.default_rng(seed).normal(size=frame.values.shape)
    coloured = fft.ifft2(fft.fft2(white) * ramp).real
    return frame.back(frame.values + noise_sd * np.sqrt(1 / share - 1) * coloured)


def low_dose_line_integrals(
    line_integrals: ArrayLike,
    *,
    dose_share: float,
    photons: float,
    electronic_variance: float,
    rng: np.random.Generator,
) -> Image:
    """Noise on the raw data: p + N(0,1)·√[((1−a)/a)·e^p/N₀·(1 + ((1+a)/a)·Nₑ·e^p/N₀)].

    Parameters
    ----------
    line_integrals : array of any shape
        p = −ln(I/I₀) at full dose.
    dose_share : float
        a, above 0 and up to 1.
    photons, electronic_variance : float
        N₀ behind nothing at full dose, Nₑ in squared photons.

    References
    ----------
    Yu et al. (2012), J Comput Assist Tomogr 36:477.
    """
    p = np.asarray(line_integrals, dtype=np.float64)
    if not 0 < dose_share <= 1:
        raise InvalidInput("bad_dose", f"dose_share is {dose_share}: give a share above 0 and up to 1")
    if not (photons > 0 and electronic_variance >= 0):
        raise InvalidInput(
            "bad_photons", f"photons {photons}, electronic_variance {electronic_variance}: give N₀ > 0, Nₑ ≥ 0"
        )
    unit = np.exp(p) / photons
    variance = (1 - dose_share) / dose_share * unit * (1 + (1 + dose_share) / dose_share * electronic_variance * unit)
    return np.asarray(p + rng.normal(size=p.shape) * np.sqrt(variance))


def ct_kernel_smooth(
    image: ArrayLike, *, severity: int, seed: int = 0, value_range: Sequence[float] | None = None
) -> NDArray[Any]:
    """A softer kernel: the ratio of the two transfer functions is a normal of 0.4 to 1.3 pixels. Nothing is drawn.

    References
    ----------
    Ohkubo et al. (2011), Medical Physics 38:3915 (image-domain kernel conversion).
    """
    return _kernel(image, -level_for(KERNEL_PX, severity), value_range)


def ct_kernel_sharp(
    image: ArrayLike, *, severity: int, seed: int = 0, value_range: Sequence[float] | None = None
) -> NDArray[Any]:
    """A sharper kernel: the inverse ratio, never above 4. Edges and noise grow. Nothing is drawn.

    References
    ----------
    Ohkubo et al. (2011), Medical Physics 38:3915.
    """
    return _kernel(image, level_for(KERNEL_PX, severity), value_range)


def slice_thickness(
    image: ArrayLike,
    *,
    severity: int,
    seed: int = 0,
    spacing_mm: Sequence[float] | None = None,
    value_range: Sequence[float] | None = None,
) -> NDArray[Any]:
    """Slices of 2, 3, 4, 6, 8 mm: slices of one slab get the slab's mean. Shape (D, H, W), kept. Nothing is drawn.

    ``spacing_mm`` is 1 mm on each axis by default. Refused: slices that are already as thick (``already_thick``).

    References
    ----------
    Erdal et al. (2020), PLoS ONE 15:e0225699 (effect of slice thickness on models).
    """
    frame = image_frame(image, value_range=value_range, dimensions=(3,))
    step = step_mm(spacing_mm, ndim=3, default=1.0)[0]
    wanted = level_for(THICKNESSES_MM, severity)
    if step >= wanted:
        raise InvalidInput("already_thick", f"slices are {step:g} mm apart: severity {severity} asks for {wanted:g} mm")
    slab = (np.arange(frame.values.shape[0]) * step / wanted).astype(int)
    starts = np.searchsorted(slab, np.arange(slab[-1] + 1))
    sizes = np.bincount(slab)
    means = np.add.reduceat(frame.values, starts, axis=0) / sizes[:, None, None]
    return frame.back(means[slab])


def measured_noise(values: Image) -> float:
    """Noise sd from the finest diagonal differences: their median absolute value ÷ 0.6745.

    References
    ----------
    Donoho & Johnstone (1994), Biometrika 81:425.
    """
    diagonal = (values[..., :-1, :-1] - values[..., :-1, 1:] - values[..., 1:, :-1] + values[..., 1:, 1:]) / 2
    return float(np.median(np.abs(diagonal)) / 0.6745)


def _kernel(image: ArrayLike, sigma_px: float, value_range: Sequence[float] | None) -> NDArray[Any]:
    frame = image_frame(image, value_range=value_range)
    if sigma_px < 0:
        sigmas = [0.0] * (frame.values.ndim - 2) + [-sigma_px] * 2
        return frame.back(ndimage.gaussian_filter(frame.values, sigmas, mode="nearest"))
    rows, columns = (fft.fftfreq(length) for length in frame.values.shape[-2:])
    gain = np.exp(2 * (np.pi * sigma_px) ** 2 * (rows[:, None] ** 2 + columns**2))
    return frame.back(fft.ifft2(fft.fft2(frame.values) * np.minimum(gain, LARGEST_GAIN)).real)
