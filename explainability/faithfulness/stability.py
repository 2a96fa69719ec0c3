"""Does the map stay the same when the image hardly changes?"""

from __future__ import annotations

import numpy as np
import torch
from scipy import stats

from assurance.evidence.errors import NotComputable
from assurance.evidence.finding import Finding
from explainability.faithfulness.graded import Graded, answer


def sensitivity_max(graded: Graded, *, seed: int = 0, samples: int = 4, radius: float = 0.02) -> Finding:
    """Largest ‖map(x+δ) − map(x)‖ / ‖map(x)‖ over ``samples`` δ, uniform within ±``radius`` × the image's range.

    Reported, no limit.

    References
    ----------
    Yeh, Hsieh, Suggala, Inouye & Ravikumar (2019), On the (in)fidelity and sensitivity of explanations, NeurIPS,
    arXiv:1901.09392.
    """
    inputs, own = graded.question.inputs, graded.attribution.grid_values
    reach = radius * float(inputs.max() - inputs.min())
    generator = torch.Generator().manual_seed(seed)
    norms = []
    for _ in range(samples):
        noise = (torch.rand(inputs.shape, generator=generator) * 2 - 1) * reach
        other = graded.again(graded.question.at(inputs + noise.to(inputs))).grid_values
        norms.append(float(np.linalg.norm(other - own) / np.linalg.norm(own)))
    return answer(graded, "sensitivity_max", max(norms), passed=None, seed=seed, details={"each": norms},
                  parameters={"samples": samples, "radius": radius})  # fmt: skip


def noise_stability(
    graded: Graded, *, seed: int = 0, samples: int = 2, sd: float = 0.03, limit: float = 0.7
) -> Finding:
    """Mean Spearman's ρ of the map with those under acquisition noise of ``sd`` × the image's range; passes above 0.7.

    The noise is white and normal, the electronic part of an acquisition's noise; the question (class, mask) is kept.

    References
    ----------
    Arun et al. (2021), Assessing the trustworthiness of saliency maps for localizing abnormalities in medical imaging,
    Radiology: Artificial Intelligence 3(6):e200267, for repeatability as a criterion.
    """
    inputs, own = graded.question.inputs, graded.attribution.grid_values.ravel()
    spread = sd * float(inputs.max() - inputs.min())
    generator = torch.Generator().manual_seed(seed)
    found = []
    for _ in range(samples):
        noise = torch.randn(inputs.shape, generator=generator) * spread
        other = graded.again(graded.question.at(inputs + noise.to(inputs))).grid_values.ravel()
        found.append(float(stats.spearmanr(own, other).statistic))
    value = float(np.mean(found))
    if not np.isfinite(value):
        raise NotComputable("no_rank", "a map has one value only: ranks cannot be compared")
    return answer(graded, "noise_stability", value, passed=value > limit, seed=seed, details={"each": found},
                  parameters={"samples": samples, "sd": sd, "limit": limit})  # fmt: skip


def reproducibility(graded: Graded, *, seed: int = 0) -> Finding:
    """Spearman's ρ of |map| with the map of another version or training seed on the same image; reported, no limit.

    ``details`` adds the structural similarity of both maps, each scaled by its largest value.

    Raises
    ------
    NotComputable
        ``no_other`` where no other version's map is given.

    References
    ----------
    Arun et al. (2021), Radiology: Artificial Intelligence 3(6):e200267; Wang et al. (2004), Image quality assessment:
    from error visibility to structural similarity, IEEE TIP 13:600–612.
    """
    if graded.other is None:
        raise NotComputable("no_other", "no map of another version on this image: reproducibility has no second side")
    one, two = np.abs(graded.attribution.values), np.abs(graded.other.values)
    if one.shape != two.shape:
        raise NotComputable("other_shape", f"maps have shapes {one.shape} and {two.shape}: they cannot be compared")
    value = float(stats.spearmanr(one.ravel(), two.ravel()).statistic)
    details = {"ssim": structural_similarity(one / one.max(), two / two.max()), "other": graded.other_name}
    return answer(graded, "reproducibility", value, passed=None, details=details)


def structural_similarity(one: np.ndarray, two: np.ndarray, *, width: int = 7) -> float:
    """Mean SSIM of two maps in 0..1 with a uniform window (C1 = 0.01², C2 = 0.03²), borders left out."""
    from scipy.ndimage import uniform_filter

    one, two = one.astype(np.float64), two.astype(np.float64)
    size = width**one.ndim
    mean_one, mean_two = uniform_filter(one, width), uniform_filter(two, width)
    norm = size / (size - 1)
    var_one = norm * (uniform_filter(one * one, width) - mean_one**2)
    var_two = norm * (uniform_filter(two * two, width) - mean_two**2)
    covariance = norm * (uniform_filter(one * two, width) - mean_one * mean_two)
    c1, c2 = 0.01**2, 0.03**2
    field = ((2 * mean_one * mean_two + c1) * (2 * covariance + c2)) / (
        (mean_one**2 + mean_two**2 + c1) * (var_one + var_two + c2)
    )
    inner = tuple(slice(width // 2, -(width // 2)) for _ in range(one.ndim))
    return float(field[inner].mean())
