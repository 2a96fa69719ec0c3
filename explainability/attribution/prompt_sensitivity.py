"""How much a promptable model's mask depends on where exactly its box was drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from assurance.adapters.protocol import LoadedModel, Prompt, memory_refused
from assurance.evidence.errors import InvalidInput
from assurance.evidence.finding import Method
from explainability.attribution.attribution import VERSION, Attribution
from explainability.attribution.question import Question, question_for

EDGES = ("x0", "y0", "x1", "y1")


def prompt_sensitivity(
    model: LoadedModel, image: Any, *, target: int | None = None, prompt: Prompt | None = None, seed: int = 0,
    question: Question | None = None, boxes: int = 16, jitter: float = 0.05,
) -> Attribution:  # fmt: skip
    """Masks under ``boxes`` jittered prompts against the mask of the given one, and the pull of each edge.

    The map is, for each pixel, the share of jittered boxes whose mask differs there from the given box's; unsigned, 0
    to 1, and 0 everywhere where the mask never changes, which is an answer. Each edge moves by a uniform ±``jitter``
    of the box's side. ``extras`` hold Dice with the own mask for each box (mean, lowest), and the derivative of the
    mean logit over the mask by each edge, in logits per network pixel, as central differences over 1 % of the side.

    Raises
    ------
    InvalidInput
        ``other_task`` for a model without box prompts; ``bad_boxes`` unless 2..64; ``bad_jitter`` outside 0..0.5.

    References
    ----------
    Ma et al. (2024), Segment anything in medical images, Nature Communications 15:654 (box prompts and their jitter).
    """
    if "box" not in model.prompt_types:
        raise InvalidInput("other_task", f"{model.key} takes no box prompt: there is nothing to jitter")
    if not 2 <= boxes <= 64:
        raise InvalidInput("bad_boxes", f"boxes {boxes}: give 2 to 64")
    if not 0 < jitter <= 0.5:
        raise InvalidInput("bad_jitter", f"jitter {jitter}: give a share of the box's side, above 0 to 0.5")
    question = question_for(model, image, target=target, prompt=prompt, question=question)
    if question.prompt is None or question.prompt.box is None or question.mask is None:
        raise InvalidInput("prompt_missing", "prompt sensitivity needs a box: give (x0, y0, x1, y1) in pixels")
    own = question.mask > 0
    rng = np.random.default_rng(seed)
    sides = (question.inputs.shape[-1], question.inputs.shape[-2])
    differs = torch.zeros_like(question.mask)
    dice: list[float] = []
    with torch.inference_mode(), memory_refused("prompt_sensitivity"):
        for _ in range(boxes):
            mask = _answer(question, jittered(question.prompt.box, sides, jitter, rng))[0] > 0
            differs += (mask != own).float()
            dice.append(float(2 * (mask & own).sum() / (mask.sum() + own.sum())))
        pulls = {edge: _pull(question, index, sides) for index, edge in enumerate(EDGES)}
    share = (differs / boxes)[None, None]
    grid = torch.nn.functional.interpolate(share, size=question.inputs.shape[2:], mode="bilinear", align_corners=False)
    values = grid[0, 0].cpu().numpy().astype("float32")
    return Attribution(
        values=question.on_image(values), grid_values=values,
        method=Method("prompt_sensitivity", "explainability.attribution.prompt_sensitivity", VERSION,
                      {"boxes": boxes, "jitter": jitter}, seed),
        target="the mask as a function of its box", unit="share of boxes", signed=False, f_x=question.f_x,
        extras={"dice": dice, "dice_mean": float(np.mean(dice)), "dice_lowest": min(dice),
                "logit_per_pixel": pulls},
    )  # fmt: skip


def jittered(
    box: tuple[float, float, float, float], sides: tuple[int, int], share: float, rng: np.random.Generator
) -> tuple[float, float, float, float]:
    """Each edge moved by a uniform ±``share`` of the box's side along its axis, kept inside ``sides`` and ordered."""
    x0, y0, x1, y1 = box
    moves: NDArray[np.float64] = rng.uniform(-share, share, 4)
    width, height = x1 - x0, y1 - y0
    left, right = np.clip([x0 + moves[0] * width, x1 + moves[2] * width], 0, sides[0])
    top, bottom = np.clip([y0 + moves[1] * height, y1 + moves[3] * height], 0, sides[1])
    return float(left), float(top), float(max(right, left + 1)), float(max(bottom, top + 1))


def _answer(question: Question, box: tuple[float, float, float, float]) -> torch.Tensor:
    return question.model.answer(question.inputs, Prompt(box=box))[0]


def _pull(question: Question, index: int, sides: tuple[int, int]) -> float:
    box = question.prompt.box  # type: ignore[union-attr]
    step = 0.01 * sides[index % 2]
    found = []
    for sign in (-1, 1):
        edges = list(box)  # type: ignore[arg-type]
        edges[index] = float(np.clip(edges[index] + sign * step, 0, sides[index % 2]))
        logits = _answer(question, (edges[0], edges[1], edges[2], edges[3]))[0]
        found.append((float((logits * question.mask).sum() / question.mask.sum()), edges[index]))  # type: ignore[operator,union-attr]
    (low, at_low), (high, at_high) = found
    return (high - low) / (at_high - at_low)
