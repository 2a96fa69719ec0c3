"""Is the generator repeating itself? Structural similarity of generated pairs against real pairs."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from assurance.evidence.errors import InvalidInput, NotComputable
from assurance.evidence.finding import Finding, State
from assurance.metrics.measured import array_digest, interval_around, method_record

Image = NDArray[np.float64]
SCALE_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
SIGMA, WINDOW = 1.5, 11
MINIMUM_PAIRS = 50


def ms_ssim(first: ArrayLike, second: ArrayLike, *, data_range: float) -> float:
    """Multi-scale structural similarity of two grey images of shape (H, W); 1 = equal.

    Five scales while the smaller side stays at 11 pixels or more, else fewer with their weights rescaled to sum 1.
    ``data_range`` is the distance from black to white.

    References
    ----------
    Wang, Simoncelli & Bovik (2003), Asilomar Conference.
    """
    one, two = (np.asarray(image, dtype=np.float64) for image in (first, second))
    if one.shape != two.shape or one.ndim != 2 or min(one.shape) < WINDOW:
        raise InvalidInput(
            "bad_images", f"images have shapes {one.shape} and {two.shape}: give equal (H, W), 11 or more"
        )
    if not data_range > 0 or not (np.isfinite(one).all() and np.isfinite(two).all()):
        raise InvalidInput("bad_images", f"data_range is {data_range}: give a positive range and finite images")
    scales = 1
    while scales < len(SCALE_WEIGHTS) and min(one.shape) >> scales >= WINDOW:
        scales += 1
    weights = np.array(SCALE_WEIGHTS[:scales]) / sum(SCALE_WEIGHTS[:scales])
    result = 1.0
    for scale, weight in enumerate(weights):
        whole, structure = ssim_parts(one, two, data_range=data_range)
        value = whole if scale == scales - 1 else structure
        result *= max(value, 0.0) ** float(weight)
        one, two = _halved(one), _halved(two)
    return result


def ssim_parts(first: Image, second: Image, *, data_range: float) -> tuple[float, float]:
    """Mean SSIM and mean contrast-structure term over the windows that lie wholly inside (normal, sd 1.5, 11 pixels).

    References
    ----------
    Wang et al. (2004), IEEE TIP 13:600.
    """
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2

    def mean(image: Image) -> Image:
        return np.asarray(ndimage.gaussian_filter(image, SIGMA, truncate=(WINDOW // 2) / SIGMA, mode="reflect"))

    mu1, mu2 = mean(first), mean(second)
    var1, var2 = mean(first**2) - mu1**2, mean(second**2) - mu2**2
    cov = mean(first * second) - mu1 * mu2
    structure = (2 * cov + c2) / (var1 + var2 + c2)
    whole = (2 * mu1 * mu2 + c1) / (mu1**2 + mu2**2 + c1) * structure
    edge = WINDOW // 2
    inner = (slice(edge, -edge or None), slice(edge, -edge or None))
    return float(whole[inner].mean()), float(structure[inner].mean())


def pair_similarity(
    real: ArrayLike, synthetic: ArrayLike, *, data_range: float, pairs: int = 200, seed: int = 0
) -> Finding:
    """Mean MS-SSIM over random pairs of generated images (of one prompt or class), with that of real pairs beside it.

    Parameters
    ----------
    real, synthetic : arrays of shape (n, H, W) and (m, H, W)
        Images of the same class.
    data_range : float
        From black to white.

    Returns
    -------
    Finding
        ``details["difference"]`` = generated − real with a normal interval over pairs; ``watch`` when that interval
        lies above 0, i.e. generated images resemble each other more than real ones do.

    References
    ----------
    Odena, Olah & Shlens (2017), ICML (MS-SSIM as a measure of diversity).
    """
    truth, made = (np.asarray(images, dtype=np.float64) for images in (real, synthetic))
    if truth.ndim != 3 or made.ndim != 3 or truth.shape[1:] != made.shape[1:]:
        raise InvalidInput(
            "bad_images", f"images have shapes {truth.shape} and {made.shape}: give (n, H, W) of one size"
        )
    if min(len(truth), len(made)) < 2:
        raise NotComputable("too_few", "one image makes no pair: two or more of each kind are needed")
    rng = np.random.default_rng(seed)
    values = []
    for images in (made, truth):
        most = min(pairs, len(images) * (len(images) - 1) // 2)
        chosen: set[tuple[int, int]] = set()
        while len(chosen) < most:
            a, b = rng.choice(len(images), size=2, replace=False)
            chosen.add((min(a, b), max(a, b)))
        values.append(np.array([ms_ssim(images[a], images[b], data_range=data_range) for a, b in sorted(chosen)]))
    generated, natural = values
    value, difference = float(generated.mean()), float(generated.mean() - natural.mean())
    few = min(generated.size, natural.size) < MINIMUM_PAIRS
    own = 1.959964 * float(generated.std(ddof=1) / generated.size**0.5) if generated.size > 1 else 0.0
    reach = own
    if generated.size > 1 and natural.size > 1:
        reach = 1.959964 * float((generated.var(ddof=1) / generated.size + natural.var(ddof=1) / natural.size) ** 0.5)
    alike = difference - reach > 0
    state = State.INSUFFICIENT if few else (State.WATCH if alike else State.OK)
    reason = f"{min(generated.size, natural.size)} pairs: {MINIMUM_PAIRS} are needed" if few else ""
    if state is State.WATCH:
        reason = "generated images resemble each other more than real ones do"
    return Finding(
        quantity="synthetic_pair_similarity",
        value=value,
        unit="1",
        state=state,
        reason=reason,
        n_cases=len(made),
        n_reference=len(truth),
        interval=interval_around(value, value - own, value + own, level=0.95, method="normal_over_pairs"),
        minimum_n=MINIMUM_PAIRS,
        method=method_record(
            "synthetic_pair_similarity", "generalizability.synthetic.diversity:pair_similarity", seed=seed, pairs=pairs,
            data_range=data_range,
        ),
        input_digest=array_digest(real=truth, synthetic=made),
        details={
            "real_pairs": float(natural.mean()),
            "difference": difference,
            "difference_interval": [difference - reach, difference + reach],
            "criterion": "completeness",
        },
    )  # fmt: skip


def _halved(image: Image) -> Image:
    rows, columns = (length // 2 * 2 for length in image.shape)
    return np.asarray(image[:rows, :columns].reshape(rows // 2, 2, columns // 2, 2).mean(axis=(1, 3)))
