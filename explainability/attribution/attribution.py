"""What every attribution method returns, and the question that it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from assurance.adapters.protocol import LoadedModel, Prompt
from assurance.evidence.errors import InvalidInput, NotComputable
from assurance.evidence.finding import Method

VERSION = "1"
Plane = NDArray[np.float32]


@dataclass(frozen=True)
class Attribution:
    """A map over the pixels of the given image, with what is needed to repeat and judge it.

    ``values`` (H, W) lie on the image, ``grid_values`` (h, w) on the network's input, where completeness is exact.
    ``signed`` maps say which pixels raise (> 0) and which lower the target; unsigned ones only where it looks.
    ``f_x`` is the target at the image and ``f_baseline`` at the baseline, both in the unit of the target.
    """

    values: Plane
    grid_values: Plane
    method: Method
    target: str
    unit: str
    signed: bool
    f_x: float
    baseline: str = ""
    layer: str = ""
    f_baseline: float | None = None
    completeness_error: float | None = None


class Question:
    """One scalar of a model's output on one image: a class logit, or the mean logit over the predicted mask.

    The mask is taken once, from the image itself, and then held fixed (Vinogradova et al. 2020), so that the scalar is
    the same function for every perturbed image. The network runs once for each call.
    """

    def __init__(
        self, model: LoadedModel, image: NDArray[Any], *, target: int | None = None, prompt: Prompt | None = None
    ) -> None:
        self.model = model
        self.shape = (int(np.asarray(image).shape[0]), int(np.asarray(image).shape[1]))
        self.inputs = model.prepare(image)
        self.prompt = model.network_prompt(prompt, self.shape)
        with torch.inference_mode():
            outputs = model.forward(self.inputs, self.prompt)
        self.mask: torch.Tensor | None = None
        if model.task == "segmentation":
            if target is not None:
                raise InvalidInput(
                    "no_target", f"target {target}: a segmentation is asked about its own mask, give none"
                )
            self.mask = (outputs[0, 0] > 0).float().clone()
            if not self.mask.any():
                raise NotComputable("empty_mask", "the model found nothing in this image: there is no mask to explain")
            self.name, self.unit = "mean logit over the predicted mask", "logit"
        else:
            classes = model.contract.classes
            self.index = int(outputs[0].argmax()) if target is None else target
            if not 0 <= self.index < outputs.shape[1]:
                raise InvalidInput(
                    "no_target", f"target {target}: give 0 to {outputs.shape[1] - 1} ({', '.join(classes)})"
                )
            self.name, self.unit = f"logit of {classes[self.index]}", "logit"
        self.f_x = float(self(self.inputs)[0].detach())

    def __call__(self, inputs: torch.Tensor) -> torch.Tensor:
        """(B, C, h, w) to (B,)."""
        outputs = self.model.forward(inputs, self.prompt)
        if self.mask is None:
            return outputs[:, self.index]
        return (outputs[:, 0] * self.mask).sum(dim=(1, 2)) / self.mask.sum()

    def probability(self, f: float) -> float:
        """The target as a probability, for sentences. For one of two classes the other logit is held as it is."""
        return 1 / (1 + float(np.exp(-f)))

    def baseline(self, name: str) -> torch.Tensor:
        """``black`` (the lowest grey value everywhere) or ``blurred`` (Gaussian, a sixteenth of the side)."""
        if name == "black":
            return torch.full_like(self.inputs, self.model.black)
        if name == "blurred":
            return blurred(self.inputs)
        raise InvalidInput("unknown_baseline", f"baseline {name!r}: choose black or blurred")

    def on_image(self, grid: torch.Tensor | NDArray[Any]) -> Plane:
        """A map (h, w) of the network's input on the pixels of the image; pixels that were cut away get 0."""
        tensor = torch.as_tensor(np.asarray(grid), dtype=torch.float32)
        return self.model.to_image(tensor, self.shape).numpy()


def blurred(inputs: torch.Tensor) -> torch.Tensor:
    side = inputs.shape[-1]
    sigma = side / 16
    reach = int(min(3 * sigma, side - 1))
    steps = torch.arange(-reach, reach + 1, dtype=torch.float32)
    kernel = torch.exp(-(steps**2) / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).to(inputs)
    channels = inputs.shape[1]
    padded = torch.nn.functional.pad(inputs, (reach, reach, reach, reach), mode="reflect")
    down = torch.nn.functional.conv2d(padded, kernel.view(1, 1, -1, 1).repeat(channels, 1, 1, 1), groups=channels)
    return torch.nn.functional.conv2d(down, kernel.view(1, 1, 1, -1).repeat(channels, 1, 1, 1), groups=channels)


def not_zero(grid: Plane, *, key: str) -> None:
    """A map of zeros says nothing and must not look like an answer."""
    if not np.isfinite(grid).all():
        raise NotComputable("not_finite", f"{key} gave values that are not finite: there is no map")
    if not grid.any():
        raise NotComputable("zero_map", f"{key} gave a map that is zero everywhere: there is no map")
