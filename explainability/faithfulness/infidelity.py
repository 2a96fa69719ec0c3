"""Does the map predict how the output answers to small changes of the image?"""

from __future__ import annotations

import numpy as np
import torch

from assurance.evidence.errors import NotComputable
from assurance.evidence.finding import Finding
from explainability.attribution.attribution import Plane
from explainability.attribution.question import Question
from explainability.attribution.smooth_gradient import saliency
from explainability.faithfulness.graded import Graded, answer


def infidelity(graded: Graded, *, seed: int = 0, samples: int = 24, sd: float = 0.1) -> Finding:
    """E[(β Iᵀφ − (f(x) − f(x − I)))²] / E[(f(x) − f(x − I))²], I normal with ``sd`` × the image's range.

    β is the scale that suits the map best, so that maps in other units compare. 0 is perfect, 1 no better than a map
    of zeros. Passes below the value of Saliency under the same I; Saliency itself is reported without a limit.

    References
    ----------
    Yeh, Hsieh, Suggala, Inouye & Ravikumar (2019), On the (in)fidelity and sensitivity of explanations, NeurIPS,
    arXiv:1901.09392.
    """
    question = graded.question
    noise, change = perturbations(question, seed=seed, samples=samples, sd=sd, batch=graded.batch)
    if not float((change**2).mean()) > 0:
        raise NotComputable("no_change", "the target does not answer to noise: infidelity has no scale")
    own = normalised(graded.attribution.grid_values, noise, change)
    if graded.key == "saliency":
        return answer(graded, "infidelity", own, passed=None, seed=seed, parameters={"samples": samples, "sd": sd})
    plain = saliency(question.model, question.image, question=question)
    other = normalised(plain.grid_values, noise, change)
    return answer(graded, "infidelity", own, passed=own < other, seed=seed, details={"saliency": other},
                  parameters={"samples": samples, "sd": sd})  # fmt: skip


def perturbations(
    question: Question, *, seed: int, samples: int, sd: float, batch: int = 8
) -> tuple[torch.Tensor, np.ndarray]:
    """Noise (samples, C, ...) and the fall of the target f(x) − f(x − I) under each."""
    inputs = question.inputs
    generator = torch.Generator().manual_seed(seed)
    spread = sd * float(inputs.max() - inputs.min())
    noise = torch.randn((samples, *inputs.shape[1:]), generator=generator) * spread
    found: list[float] = []
    with torch.inference_mode():
        for start in range(0, samples, batch):
            found += question(inputs - noise[start : start + batch].to(inputs)).tolist()
    return noise, question.f_x - np.array(found)


def normalised(grid: Plane, noise: torch.Tensor, change: np.ndarray) -> float:
    """Infidelity with the best scale, relative to that of a map of zeros.

    A map holds one value for each place, summed over channels, so channels share it in equal parts.
    """
    parts = noise.mean(dim=1) if noise.shape[1] > 1 else noise[:, 0]
    product = parts.flatten(1).double().numpy() @ grid.ravel().astype(np.float64)
    square = float((product**2).sum())
    scale = float((product * change).sum()) / square if square else 0.0
    return float(((scale * product - change) ** 2).mean() / (change**2).mean())
