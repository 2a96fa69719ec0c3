"""GradientShap: expected gradients between real reference images and this one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from captum.attr import GradientShap

from assurance.adapters.protocol import LoadedModel, Prompt, memory_refused
from assurance.evidence.errors import InvalidInput, NotComputable
from assurance.evidence.finding import Method
from explainability.attribution.attribution import VERSION, Attribution, not_zero
from explainability.attribution.question import Question, question_for

FEWEST_REFERENCES = 16


def gradient_shap(
    model: LoadedModel, image: Any, *, target: int | None = None, prompt: Prompt | None = None, seed: int = 0,
    question: Question | None = None, references: Sequence[Any] = (), samples: int = 20, sd: float = 0.05,
    batch: int = 4,
) -> Attribution:  # fmt: skip
    """Mean over ``samples`` of gradient × (image − reference) at a random point between both, with noise of ``sd``.

    Signed, in logits per network pixel. ``references`` are 16 or more images of other cases: what is common to them
    gets no relevance. The sum is near f(x) − mean f(reference); the gap shrinks with ``samples`` only slowly, so no
    completeness is promised.

    Raises
    ------
    NotComputable
        ``too_few_references``; ``zero_map``.

    References
    ----------
    Erion, Janizek, Sturmfels, Lundberg & Lee (2021), Improving performance of deep learning models with axiomatic
    attribution priors and expected gradients, Nature Machine Intelligence 3:620–631, arXiv:1906.10670.
    """
    if len(references) < FEWEST_REFERENCES:
        raise NotComputable(
            "too_few_references", f"{len(references)} reference images: GradientShap needs {FEWEST_REFERENCES} or more"
        )
    if not 2 <= samples <= 500:
        raise InvalidInput("bad_samples", f"samples {samples}: give 2 to 500")
    question = question_for(model, image, target=target, prompt=prompt, question=question)
    starts = torch.cat([question.model.prepare(reference) for reference in references])
    spread = sd * float(question.inputs.max() - question.inputs.min())
    total = torch.zeros_like(question.inputs)
    with memory_refused("gradient_shap"), torch.random.fork_rng():
        torch.manual_seed(seed)
        # Captum draws from numpy's global generator; its state is put back.
        with numpy_seeded(seed):
            for first in range(0, samples, batch):
                count = min(batch, samples - first)
                values = GradientShap(question).attribute(
                    question.inputs.clone(), baselines=starts, n_samples=count, stdevs=spread
                )
                total += values.detach() * count
    grid = (total / samples)[0].sum(dim=0).cpu().numpy().astype("float32")
    not_zero(grid, key="gradient_shap")
    return Attribution(
        values=question.on_image(grid), grid_values=grid,
        method=Method("gradient_shap", "captum.attr.GradientShap", VERSION,
                      {"samples": samples, "sd": sd, "references": len(references)}, seed),
        target=question.name, unit="logit per pixel", signed=True, f_x=question.f_x,
        baseline=f"{len(references)} other images",
    )  # fmt: skip


class numpy_seeded:  # noqa: N801 -- reads as a verb where it is used
    """numpy's global generator with ``seed`` inside, as it was outside."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def __enter__(self) -> None:
        import numpy as np

        self.state = np.random.get_state()  # noqa: NPY002
        np.random.seed(self.seed)  # noqa: NPY002

    def __exit__(self, *exc: object) -> None:
        import numpy as np

        np.random.set_state(self.state)  # noqa: NPY002
