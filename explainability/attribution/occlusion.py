"""Occlusion: how much the target falls when a window of the image is covered."""

from __future__ import annotations

from typing import Any

import torch
from captum.attr import Occlusion as CaptumOcclusion

from assurance.adapters.protocol import LoadedModel, Prompt, memory_refused
from assurance.evidence.errors import InvalidInput
from assurance.evidence.finding import Method
from explainability.attribution.attribution import VERSION, Attribution, not_zero
from explainability.attribution.question import Question, batch_for, question_for


def occlusion(
    model: LoadedModel, image: Any, *, target: int | None = None, prompt: Prompt | None = None, seed: int = 0,
    question: Question | None = None, baseline: str = "blurred", windows: int = 7, batch: int = 0,
) -> Attribution:  # fmt: skip
    """Cover windows of 1/``windows`` of the side, half a window apart, with the baseline; average over the windows.

    Signed, in logits: positive where covering lowers the target. Runs no gradient. ``seed`` is not used.

    Raises
    ------
    InvalidInput
        ``bad_windows`` unless 2..32 windows fit; unknown baseline or target.

    References
    ----------
    Zeiler & Fergus (2014), Visualizing and understanding convolutional networks, ECCV, arXiv:1311.2901.
    """
    if not 2 <= windows <= 32:
        raise InvalidInput("bad_windows", f"windows {windows}: give 2 to 32 windows along a side")
    question = question_for(model, image, target=target, prompt=prompt, question=question)
    channels, *sides = question.inputs.shape[1:]
    window = (channels, *(max(side // windows, 1) for side in sides))
    stride = (channels, *(max(step // 2, 1) for step in window[1:]))
    fill = question.baseline(baseline)
    with torch.inference_mode(), memory_refused("occlusion"):
        values = CaptumOcclusion(question).attribute(
            question.inputs,
            sliding_window_shapes=window,
            strides=stride,
            baselines=fill,
            perturbations_per_eval=batch_for(question.inputs, batch),
        )
        f_baseline = float(question(fill)[0])
    grid = values[0].mean(dim=0).cpu().numpy().astype("float32")
    not_zero(grid, key="occlusion")
    return Attribution(
        values=question.on_image(grid), grid_values=grid,
        method=Method("occlusion", "captum.attr.Occlusion", VERSION,
                      {"baseline": baseline, "window": list(window[1:]), "stride": list(stride[1:])}, seed),
        target=question.name, unit="logit", signed=True, f_x=question.f_x, baseline=baseline, f_baseline=f_baseline,
    )  # fmt: skip
