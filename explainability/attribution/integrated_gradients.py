"""Integrated Gradients: the path from a baseline to the image, with its completeness error."""

from __future__ import annotations

from typing import Any

import torch
from captum.attr import IntegratedGradients as CaptumIntegratedGradients

from assurance.adapters.protocol import LoadedModel, Prompt, memory_refused
from assurance.evidence.errors import InvalidInput
from assurance.evidence.finding import Method
from explainability.attribution.attribution import VERSION, Attribution, not_zero
from explainability.attribution.question import Question, batch_for, question_for

MOST_STEPS = 500
COMPLETE = 0.05


def integrated_gradients(
    model: LoadedModel, image: Any, *, target: int | None = None, prompt: Prompt | None = None, seed: int = 0,
    question: Question | None = None, baseline: str = "black", steps: int = 50, most_steps: int = 400,
    batch: int = 0,
) -> Attribution:  # fmt: skip
    """Attribute the target to pixels along the straight path from ``baseline`` (Gauss–Legendre, ``steps`` points).

    Signed, in logits per network pixel; channels are added up. The sum of ``grid_values`` is f(x) − f(baseline) up to
    ``completeness_error``, the relative gap, which must lie below 0.05 for the map to count as evidence: while it does
    not, the steps are doubled as long as they stay within ``most_steps``. A network of
    ReLUs without biases is exact with a black baseline, which says nothing about faithfulness. ``seed`` is not used.

    Raises
    ------
    InvalidInput
        Unknown baseline, target or ``steps`` outside 1..500, and what the adapter refuses about image and prompt.
    NotComputable
        ``zero_map``; ``empty_mask``.

    References
    ----------
    Sundararajan, Taly & Yan (2017), Axiomatic attribution for deep networks, ICML, arXiv:1703.01365.
    """
    if not 1 <= steps <= MOST_STEPS:
        raise InvalidInput("bad_steps", f"steps {steps}: give 1 to {MOST_STEPS}")
    question = question_for(model, image, target=target, prompt=prompt, question=question)
    start = question.baseline(baseline)
    attribute = CaptumIntegratedGradients(question).attribute
    with torch.inference_mode():
        f_baseline = float(question(start)[0])
    change = question.f_x - f_baseline
    while True:
        with memory_refused("integrated_gradients"):
            values = attribute(
                question.inputs, baselines=start, n_steps=steps, method="gausslegendre",
                internal_batch_size=batch_for(question.inputs, batch),
            )  # fmt: skip
        grid = values[0].sum(dim=0).detach().cpu().numpy().astype("float32")
        error = abs(float(grid.sum(dtype="float64")) - change) / abs(change) if change else float("inf")
        if error < COMPLETE or not change or 2 * steps > most_steps:
            break
        steps *= 2
    not_zero(grid, key="integrated_gradients")
    return Attribution(
        values=question.on_image(grid), grid_values=grid,
        method=Method("integrated_gradients", "captum.attr.IntegratedGradients", VERSION,
                      {"baseline": baseline, "steps": steps, "quadrature": "gausslegendre"}, seed),
        target=question.name, unit="logit per pixel", signed=True, f_x=question.f_x, baseline=baseline,
        f_baseline=f_baseline, completeness_error=error,
    )  # fmt: skip
