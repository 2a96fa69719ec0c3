"""Grad-CAM and its form for segmentation: where the last features with a grid raise the target."""

from __future__ import annotations

from typing import Any

import torch
from captum.attr import LayerGradCam

from assurance.adapters.protocol import LoadedModel, Prompt, memory_refused
from assurance.evidence.errors import InvalidInput
from assurance.evidence.finding import Method
from explainability.attribution.attribution import VERSION, Attribution, not_zero
from explainability.attribution.question import Question, question_for


def grad_cam(
    model: LoadedModel, image: Any, *, target: int | None = None, prompt: Prompt | None = None, seed: int = 0,
    question: Question | None = None,
) -> Attribution:  # fmt: skip
    """Weights of the layer's channels are the mean gradients of a class logit; negative sums are cut off.

    Unsigned, on the layer's grid, enlarged bilinearly. ``seed`` is not used. A map of zeros is refused.

    References
    ----------
    Selvaraju et al. (2017), Grad-CAM, ICCV, arXiv:1610.02391.
    """
    if model.task == "segmentation":
        raise InvalidInput("other_task", "grad_cam asks about a class: use seg_grad_cam for a segmentation")
    return _cam(model, image, key="grad_cam", target=target, prompt=prompt, seed=seed, question=question)


def seg_grad_cam(
    model: LoadedModel, image: Any, *, target: int | None = None, prompt: Prompt | None = None, seed: int = 0,
    question: Question | None = None,
) -> Attribution:  # fmt: skip
    """Grad-CAM of the mean logit over the predicted mask, which is held fixed; otherwise as :func:`grad_cam`.

    References
    ----------
    Vinogradova, Dibrov & Myers (2020), Towards interpretable semantic segmentation via gradient-weighted class
    activation mapping, AAAI, arXiv:2002.11434.
    """
    if model.task != "segmentation":
        raise InvalidInput("other_task", "seg-grad_cam asks about a mask: use grad_cam for a classifier")
    return _cam(model, image, key="seg_grad_cam", target=target, prompt=prompt, seed=seed, question=question)


def _cam(
    model: LoadedModel, image: Any, *, key: str, target: int | None, prompt: Prompt | None, seed: int,
    question: Question | None,
) -> Attribution:  # fmt: skip
    question = question_for(model, image, target=target, prompt=prompt, question=question)
    network = question.model
    # The layer's output needs a gradient although no weight does, so the input asks for one.
    inputs = question.inputs.clone().requires_grad_(True)
    layer = network.feature_layer()
    with memory_refused(key):
        values = LayerGradCam(question, layer).attribute(inputs, relu_attributions=True)
    coarse = values.detach()[:, :1]
    side = question.inputs.shape[2:]
    mode = "bilinear" if len(side) == 2 else "trilinear"
    grid = torch.nn.functional.interpolate(coarse, size=side, mode=mode, align_corners=False)[0, 0].cpu().numpy()
    not_zero(grid, key=key)
    name = next((name for name, module in network.network.named_modules() if module is layer), "")
    return Attribution(
        values=question.on_image(grid), grid_values=grid.astype("float32"),
        method=Method(key, "captum.attr.LayerGradCam", VERSION, {"layer": name, "grid": list(coarse.shape[2:])}, seed),
        target=question.name, unit="weighted activation", signed=False, f_x=question.f_x, layer=name,
    )  # fmt: skip
