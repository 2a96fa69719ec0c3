"""Does the map predict how the output answers to small changes of the image?"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch

from assurance.evidence.errors import NotComputable
from assurance.evidence.finding import Finding
from explainability.attribution.attribution import Plane
from explainability.attribution.question import Question, blurred
from explainability.attribution.smooth_gradient import saliency
from explainability.faithfulness.graded import Graded, answer
from explainability.faithfulness.pixel_removal import BLOCKS, PATCHES, patch_grid

LOCAL = "per grey unit"


def infidelity(graded: Graded, *, seed: int = 0, samples: int = 24, sd: float = 0.1, removed: float = 0.2) -> Finding:
    """E[(β Iᵀφ − (f(x) − f(x − I)))²] / E[(f(x) − f(x − I))²], β ≥ 0 the scale that suits the map best.

    For maps in units per grey unit (gradients), I is normal noise of ``sd`` × the image's range. All others say what a
    region adds to the score, so for them I takes regions away: patches at random, ``removed`` of the image, become the
    blurred image, and Iᵀφ is the map's sum over them (the paper's square removal). Judging a map of the second kind by
    pixel noise would multiply it by a difference that it already holds. 0 is perfect, 1 no better than a map of zeros.
    Passes below the value of Saliency under the same I; Saliency itself is reported without a limit.

    References
    ----------
    Yeh, Hsieh, Suggala, Inouye & Ravikumar (2019), On the (in)fidelity and sensitivity of explanations, NeurIPS,
    arXiv:1901.09392, sections 2.1 and 2.3.
    """
    question, own_seed = graded.question, graded.case_seed(seed)
    local = graded.attribution.unit.endswith(LOCAL)
    if local:
        changes, change = perturbations(question, seed=own_seed, samples=samples, sd=sd, batch=graded.batch)
        regions, parameters = changes, {"perturbation": "noise", "samples": samples, "sd": sd}
    else:
        regions, changes, change = removals(question, seed=own_seed, samples=samples, share=removed, batch=graded.batch)
        parameters = {"perturbation": "removal", "samples": samples, "removed": removed}
    if not float((change**2).mean()) > 0:
        raise NotComputable("no_change", "the target does not answer to changes of the image: infidelity has no scale")
    own = normalised(graded.attribution.grid_values, regions, change)
    if graded.key == "saliency":
        return answer(graded, "infidelity", own, passed=None, seed=own_seed, parameters=parameters)
    plain = saliency(question.model, question.image, question=question)
    other = normalised(plain.grid_values, changes, change)
    return answer(graded, "infidelity", own, passed=own < other, seed=own_seed, details={"saliency": other},
                  parameters=parameters)  # fmt: skip


def perturbations(
    question: Question, *, seed: int, samples: int, sd: float, batch: int = 8
) -> tuple[torch.Tensor, np.ndarray]:
    """Noise (samples, C, ...) and the fall of the target f(x) − f(x − I) under each."""
    inputs = question.inputs
    generator = torch.Generator().manual_seed(seed)
    spread = sd * float(inputs.max() - inputs.min())
    noise = torch.randn((samples, *inputs.shape[1:]), generator=generator) * spread
    return noise, _falls(question, (inputs - part.to(inputs) for part in noise.split(batch)))


def removals(
    question: Question, *, seed: int, samples: int, share: float, batch: int = 8
) -> tuple[torch.Tensor, torch.Tensor, np.ndarray]:
    """Regions (samples, 1, ...) that become the blurred image, the change I (samples, C, ...), and each fall."""
    inputs = question.inputs
    sides = tuple(int(side) for side in inputs.shape[2:])
    patches = torch.as_tensor(patch_grid(sides, patches=BLOCKS if len(sides) == 3 else PATCHES))
    generator = torch.Generator().manual_seed(seed)
    gone = torch.rand((samples, int(patches.max()) + 1), generator=generator) < share
    regions = gone[:, patches][:, None].float()
    changes = regions * (inputs - blurred(inputs)).cpu()
    return regions, changes, _falls(question, (inputs - part.to(inputs) for part in changes.split(batch)))


def _falls(question: Question, images: Iterable[torch.Tensor]) -> np.ndarray:
    found: list[float] = []
    with torch.inference_mode():
        for part in images:
            found += question(part).tolist()
    return question.f_x - np.array(found)


def normalised(grid: Plane, changes: torch.Tensor, change: np.ndarray) -> float:
    """Infidelity with the best scale that is not negative, relative to that of a map of zeros.

    A map holds one value for each place, summed over channels, so channels share it in equal parts. A map that says the
    opposite of what happens gets the scale 0 and so the value of a map of zeros.
    """
    parts = changes.mean(dim=1) if changes.shape[1] > 1 else changes[:, 0]
    product = parts.flatten(1).double().numpy() @ grid.ravel().astype(np.float64)
    square = float((product**2).sum())
    scale = max(float((product * change).sum()) / square, 0.0) if square else 0.0
    return float(((scale * product - change) ** 2).mean() / (change**2).mean())
