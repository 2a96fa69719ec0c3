"""The image-quality panel: what a picture looks like before any model sees it, slice by slice in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assurance.evidence.errors import InvalidInput

BINS = 65_536
ENTROPY_BINS = 256
COLUMNS = (
    "q_mean", "q_sd", "q_p1", "q_p50", "q_p99", "q_entropy_bit", "q_laplacian_variance", "q_noise_sd", "q_snr", "q_cnr",
    "q_saturated_share", "q_border_share", "q_bit_depth",
)  # fmt: skip
SIGNAL_ABOVE = 0.01  # of the range over the darkest level: below this a pixel counts as empty border
Slices = Callable[[], Iterator[NDArray[np.generic]]]


def quality_panel(image: ArrayLike | Slices, *, bit_depth: int | None = None) -> dict[str, float]:
    """Thirteen values of one image.

    Parameters
    ----------
    image : array of shape (H, W) or (D, H, W), or a function that gives its slices (H, W) anew at each call
        Grey values in any unit. The function form keeps one slice in memory at a time and is called twice.
    bit_depth : int, optional
        Bits that are really stored; without it the smallest that holds the largest value of an integer image.

    Returns
    -------
    dict
        ``q_mean``, ``q_sd``, ``q_p1``, ``q_p50``, ``q_p99`` in the image's unit (percentiles to 1/65,536 of the range;
        exact for integers of up to 16 bits); ``q_entropy_bit`` of 256 equal bins, 0..8; ``q_laplacian_variance``
        (4-neighbour Laplacian, interior); ``q_noise_sd``: median absolute value of the finest diagonal Haar band ÷
        0.6745, the median over slices (Donoho & Johnstone 1994); ``q_snr`` = mean above Otsu's threshold ÷ noise,
        ``q_cnr`` = difference of the means above and below ÷ noise, both 0 for a constant image and absent without
        noise; ``q_saturated_share`` at the largest storable or, for other images, largest present value;
        ``q_border_share``: 1 − area of the box that holds signal; ``q_bit_depth``.

    Raises
    ------
    InvalidInput
        ``not_an_image`` for other shapes or slices below 4 × 4, ``not_finite`` when a value is NaN or infinite.

    References
    ----------
    Donoho & Johnstone (1994), Ideal spatial adaptation by wavelet shrinkage, Biometrika 81(3). Otsu (1979), A threshold
    selection method from gray-level histograms, IEEE Trans. SMC 9(1).
    """
    slices = image if callable(image) else _slices_of(image)
    low, high, whole = _range(slices)
    counts, centres, edges = np.zeros(BINS, dtype=np.int64), *_bins(low, high, whole)
    total = squares = laplace = laplace_squares = 0.0
    n = n_laplace = 0
    noises: list[float] = []
    shares: list[float] = []
    for plane in slices():
        grey = np.asarray(plane, dtype=np.float64)
        counts += np.histogram(grey, bins=edges)[0]
        centred = grey - low
        total += float(centred.sum())
        squares += float(np.square(centred).sum())
        n += grey.size
        second = grey[1:-1, :-2] + grey[1:-1, 2:] + grey[:-2, 1:-1] + grey[2:, 1:-1] - 4 * grey[1:-1, 1:-1]
        laplace += float(second.sum())
        laplace_squares += float(np.square(second).sum())
        n_laplace += second.size
        noises.append(noise_sd(grey))
        shares.append(_border(grey, low, high))
    mean = low + total / n
    variance = max(0.0, squares / n - (total / n) ** 2)
    noise = float(np.median(noises))
    depth = bit_depth or (max(1, int(high - min(low, 0)).bit_length()) if whole else 0)
    ceiling = 2**depth - 1 if whole and bit_depth and low >= 0 else high
    found = {
        "q_mean": mean, "q_sd": float(np.sqrt(variance)),
        **{f"q_p{q}": _quantile(counts, centres, q / 100) for q in (1, 50, 99)},
        "q_entropy_bit": _entropy(counts, centres, low, high),
        "q_laplacian_variance": max(0.0, laplace_squares / n_laplace - (laplace / n_laplace) ** 2),
        "q_noise_sd": noise,
        "q_saturated_share": float(counts[centres >= ceiling].sum() / n) if high > low and whole
        else (float(counts[-1] / n) if high > low else 0.0),
        "q_border_share": float(np.mean(shares)), "q_bit_depth": float(depth),
    }  # fmt: skip
    above, below = _two_means(counts, centres)
    if high == low:
        found |= {"q_snr": 0.0, "q_cnr": 0.0}
    elif noise > 0:
        found |= {"q_snr": above / noise, "q_cnr": (above - below) / noise}
    return found


def noise_sd(plane: NDArray[np.float64]) -> float:
    """Noise of one slice (H, W): median |HH| ÷ 0.6745 of the orthonormal Haar transform, in the image's unit."""
    height, width = plane.shape[0] // 2 * 2, plane.shape[1] // 2 * 2
    even = plane[:height, :width]
    diagonal = (even[::2, ::2] - even[::2, 1::2] - even[1::2, ::2] + even[1::2, 1::2]) / 2
    return float(np.median(np.abs(diagonal)) / 0.6744897501960817)


def _slices_of(image: ArrayLike) -> Slices:
    array = np.asarray(image)
    if array.ndim not in (2, 3):
        raise InvalidInput("not_an_image", f"image has shape {array.shape}: give (H, W) or (D, H, W)")
    return lambda: iter(array[None] if array.ndim == 2 else array)


def _range(slices: Slices) -> tuple[float, float, bool]:
    low, high, whole, any_slice = np.inf, -np.inf, True, False
    for plane in slices():
        array = np.asarray(plane)
        if array.ndim != 2 or min(array.shape) < 4 or array.dtype.kind not in "buif":
            raise InvalidInput(
                "not_an_image", f"a slice has shape {array.shape} of {array.dtype}: give (H, W), 4 or more"
            )
        any_slice = True
        whole &= array.dtype.kind in "bui"
        low, high = min(low, float(array.min())), max(high, float(array.max()))
        if not np.isfinite([low, high]).all():
            raise InvalidInput("not_finite", "the image holds NaN or infinite values: give finite numbers")
    if not any_slice:
        raise InvalidInput("not_an_image", "the image has no slice")
    return low, high, whole and high - low < BINS


def _bins(low: float, high: float, whole: bool) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """One bin for each whole number where they fit, else equal bins over the range."""
    start, step = (low - 0.5, 1.0) if whole else (low, ((high - low) or 1.0) / BINS)
    edges = start + step * np.arange(BINS + 1, dtype=np.float64)
    if not whole:
        edges[-1] = max(high, edges[-1])  # rounding must not leave the largest value outside
    return (edges[:-1] + edges[1:]) / 2, edges


def _quantile(counts: NDArray[np.int64], centres: NDArray[np.float64], share: float) -> float:
    """The smallest value with at least ``share`` of the pixels at or below it."""
    cumulative = np.cumsum(counts)
    return float(centres[np.searchsorted(cumulative, share * cumulative[-1])])


def _entropy(counts: NDArray[np.int64], centres: NDArray[np.float64], low: float, high: float) -> float:
    if high == low:
        return 0.0
    index = np.clip(((centres - low) / (high - low) * ENTROPY_BINS).astype(np.int64), 0, ENTROPY_BINS - 1)
    binned = np.bincount(index, weights=counts, minlength=ENTROPY_BINS)
    shares = binned[binned > 0] / binned.sum()
    return float(max(0.0, -(shares * np.log2(shares)).sum()))


def _two_means(counts: NDArray[np.int64], centres: NDArray[np.float64]) -> tuple[float, float]:
    """Means above and below Otsu's threshold, from the histogram."""
    filled = counts > 0
    weight, value = counts[filled].astype(np.float64), centres[filled]
    below, sums = np.cumsum(weight), np.cumsum(weight * value)
    if value.size < 2:
        return float(value[0]), float(value[0])
    left, right = below[:-1], below[-1] - below[:-1]
    between = left * right * (sums[:-1] / left - (sums[-1] - sums[:-1]) / right) ** 2
    at = int(np.argmax(between))
    return float((sums[-1] - sums[at]) / right[at]), float(sums[at] / left[at])


def _border(grey: NDArray[np.float64], low: float, high: float) -> float:
    signal = grey > low + SIGNAL_ABOVE * (high - low)
    up, left = np.flatnonzero(signal.any(axis=1)), np.flatnonzero(signal.any(axis=0))
    if not up.size:
        return 1.0 if high > low else 0.0
    return 1.0 - float((up[-1] - up[0] + 1) * (left[-1] - left[0] + 1)) / grey.size
