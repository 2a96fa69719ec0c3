"""Localization: what decides one coordinate of a box, and how much the start of the search does."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from assurance.adapters.protocol import LoadedModel, Prompt, memory_refused
from assurance.adapters.relative_distance import step
from assurance.evidence.errors import InvalidInput, NotComputable
from assurance.evidence.finding import Method
from explainability.attribution.attribution import VERSION, Attribution, not_zero
from explainability.attribution.question import Question, image_shape


class CoordinateQuestion(Question):
    """One edge of a structure's box in mm from the grid's first voxel; ``target`` is its index in the contract."""

    def __init__(self, model: LoadedModel, image: Any, *, target: int | None = None) -> None:
        if model.task != "localization":
            raise InvalidInput("other_task", f"{model.key} does {model.task}: these methods ask about a localization")
        if not model.differentiable:
            raise InvalidInput("no_gradient", f"{model.key} gives no gradient here: its checkout answers boxes only")
        self.model, self.image, self.shape = model, image, image_shape(image)
        self.prompt, self.mask, self.found, self.unit = None, None, None, "mm"
        self.index = 0 if target is None else target
        names = model.contract.classes
        if not 0 <= self.index < len(names):
            raise InvalidInput("no_target", f"target {target}: give 0 to {len(names) - 1} ({', '.join(names)})")
        self.name = f"{names[self.index]} edge"
        with torch.inference_mode(), memory_refused(model.key):
            self.inputs = model.prepare(image)
            self.f_x = float(self(self.inputs)[0])

    def shares(self, inputs: torch.Tensor) -> torch.Tensor:
        return self(inputs)

    def removal_score(self, inputs: torch.Tensor) -> torch.Tensor:
        """Minus the distance from the own answer: an edge may go either way when the image goes."""
        return -(self(inputs) - self.f_x).abs()

    @property
    def share_name(self) -> str:
        return f"the {self.name} in mm"


def coordinate_gradient(
    model: LoadedModel, image: Any, *, target: int | None = None, prompt: Prompt | None = None, seed: int = 0,
    question: Question | None = None,
) -> Attribution:  # fmt: skip
    """Absolute gradient of one box edge; unsigned, mm per grey unit. ``seed`` is not used.

    References
    ----------
    Simonyan, Vedaldi & Zisserman (2014), arXiv:1312.6034, applied to MedLSAM's last step (Lei et al. 2023,
    arXiv:2306.14752).
    """
    asked = question or CoordinateQuestion(model, image, target=target)
    inputs = asked.inputs.clone().requires_grad_(True)
    with memory_refused("coordinate_gradient"):
        gradient = torch.autograd.grad(asked(inputs)[0], inputs)[0]
    grid = gradient[0].abs().sum(dim=0).cpu().numpy().astype("float32")
    not_zero(grid, key="coordinate_gradient")
    return Attribution(
        values=asked.on_image(grid), grid_values=grid,
        method=Method("coordinate_gradient", "explainability.attribution.localization", VERSION, {}, seed),
        target=asked.name, unit="mm per grey unit", signed=False, f_x=asked.f_x, target_unit="mm",
    )  # fmt: skip


def start_jitter(
    model: LoadedModel, image: Any, *, target: int | None = None, prompt: Prompt | None = None, seed: int = 0,
    question: Question | None = None, starts: int = 4,
) -> Attribution:  # fmt: skip
    """How far from the common answer one step ends, for ``starts``³ places of the search's start; unsigned, in mm.

    ``extras`` give the spread: the standard deviation of the coordinate over all starts. ``seed`` is not used.

    References
    ----------
    Lei et al. (2023), MedLSAM, arXiv:2306.14752 (several starts, their mean as the answer).
    """
    if not 2 <= starts <= 8:
        raise InvalidInput("bad_starts", f"starts {starts}: give 2 to 8 along each axis")
    asked = question or CoordinateQuestion(model, image, target=target)
    landmarks = getattr(asked.model, "landmarks", None)
    if not landmarks:
        raise NotComputable("no_starts", f"{asked.model.key} does not search from starts: there is nothing to jitter")
    landmark = landmarks[asked.index]
    sides = asked.inputs.shape[2:]
    axes = [(torch.arange(starts, dtype=torch.float32) + 0.5) * side / starts for side in sides]
    centres = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).reshape(-1, 3)
    wanted = landmark.position[None].expand(len(centres), 3)
    spacing = float(asked.model.contract.spacing_mm[0])
    with torch.inference_mode(), memory_refused("start_jitter"):
        ends = step(asked.model.network, asked.inputs, centres, wanted, spacing_mm=spacing,
                    size=asked.model.patch)[:, landmark.axis] * spacing  # type: ignore[attr-defined]  # fmt: skip
    away = (ends - ends.median()).abs().reshape((starts,) * 3)
    grid_tensor = torch.nn.functional.interpolate(away[None, None], size=sides, mode="trilinear", align_corners=False)
    grid = grid_tensor[0, 0].cpu().numpy().astype("float32")
    not_zero(grid, key="start_jitter")
    return Attribution(
        values=asked.on_image(grid), grid_values=grid,
        method=Method("start_jitter", "explainability.attribution.localization", VERSION, {"starts": starts**3}, seed),
        target=asked.name, unit="mm", signed=False, f_x=asked.f_x, target_unit="mm",
        extras={"spread_mm": float(ends.std()), "ends_mm": np.round(ends.cpu().numpy(), 3).tolist()},
    )  # fmt: skip
