"""Plain and averaged gradients: the reference that other maps must beat in infidelity."""

from __future__ import annotations

from typing import Any

import torch
from captum.attr import NoiseTunnel, Saliency

from assurance.adapters.protocol import LoadedModel, Prompt, memory_refused
from assurance.evidence.errors import InvalidInput
from assurance.evidence.finding import Method
from explainability.attribution.attribution import VERSION, Attribution, not_zero
from explainability.attribution.question import Question, question_for


def saliency(
    model: LoadedModel, image: Any, *, target: int | None = None, prompt: Prompt | None = None, seed: int = 0,
    question: Question | None = None,
) -> Attribution:  # fmt: skip
    """Absolute gradient of the target at the image, summed over channels; unsigned, in logits per grey unit.

    References
    ----------
    Simonyan, Vedaldi & Zisserman (2014), Deep inside convolutional networks, arXiv:1312.6034.
    """
    question = question_for(model, image, target=target, prompt=prompt, question=question)
    with memory_refused("saliency"):
        values = Saliency(question).attribute(question.inputs.clone().requires_grad_(True), abs=True)
    return _answer(question, values, "saliency", "captum.attr.Saliency", {}, seed)


def smoothgrad(
    model: LoadedModel, image: Any, *, target: int | None = None, prompt: Prompt | None = None, seed: int = 0,
    question: Question | None = None, samples: int = 16, sd: float = 0.1,
) -> Attribution:  # fmt: skip
    """Mean of saliency over ``samples`` images with Gaussian noise of ``sd`` times the image's range.

    References
    ----------
    Smilkov et al. (2017), SmoothGrad, arXiv:1706.03825.
    """
    if not 2 <= samples <= 200:
        raise InvalidInput("bad_samples", f"samples {samples}: give 2 to 200")
    question = question_for(model, image, target=target, prompt=prompt, question=question)
    spread = sd * float(question.inputs.max() - question.inputs.min())
    with torch.random.fork_rng(), memory_refused("smoothgrad"):
        torch.manual_seed(seed)
        values = NoiseTunnel(Saliency(question)).attribute(
            question.inputs.clone().requires_grad_(True), nt_type="smoothgrad", nt_samples=samples,
            nt_samples_batch_size=4, stdevs=spread, abs=True,
        )  # fmt: skip
    return _answer(question, values, "smoothgrad", "captum.attr.NoiseTunnel", {"samples": samples, "sd": sd}, seed)


def _answer(
    question: Question, values: torch.Tensor, key: str, implementation: str, parameters: dict[str, Any], seed: int
) -> Attribution:
    grid = values[0].detach().sum(dim=0).cpu().numpy().astype("float32")
    not_zero(grid, key=key)
    return Attribution(
        values=question.on_image(grid), grid_values=grid, method=Method(key, implementation, VERSION, parameters, seed),
        target=question.name, unit="logit per grey unit", signed=False, f_x=question.f_x,
    )  # fmt: skip
