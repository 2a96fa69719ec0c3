"""What every adapter offers, so that explainers and tasks need not know which model they hold."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from assurance.evidence.errors import InvalidInput

Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Prompt:
    """Where a promptable model looks. ``box`` is (x0, y0, x1, y1) in pixels of the given image, x to the right."""

    box: tuple[float, float, float, float] | None = None

    def checked(self, *, height: int, width: int) -> tuple[float, float, float, float]:
        """The box, refused when it is missing, empty or outside the image."""
        if self.box is None:
            raise InvalidInput("prompt_missing", "this model needs a box prompt: give (x0, y0, x1, y1) in pixels")
        x0, y0, x1, y1 = (float(edge) for edge in self.box)
        if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height):
            raise InvalidInput(
                "prompt_outside", f"box {(x0, y0, x1, y1)} does not lie inside the image of {width} × {height} pixels"
            )
        return x0, y0, x1, y1


@dataclass(frozen=True, slots=True)
class Contract:
    """Inputs and outputs in the model's own terms, as cards and checks print them."""

    inputs: str
    outputs: str
    input_shape: tuple[int, ...]
    classes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Prediction:
    """``mask`` (H, W) booleans and ``logits`` (H, W) for segmentation; ``scores`` by class for classification."""

    scores: Mapping[str, float] = field(default_factory=dict)
    mask: NDArray[np.bool_] | None = None
    logits: Array | None = None


class LoadedModel(ABC):
    """A model in memory, in evaluation mode, with parameter gradients off.

    ``prepare`` turns an image of the world into the network's input tensor (1, C, ...); ``forward`` is differentiable
    with respect to that tensor and gives logits: (B, classes) or (B, 1, h, w).
    """

    key: ClassVar[str]
    task: ClassVar[str]
    modalities: ClassVar[tuple[str, ...]]
    licence: ClassVar[str]
    source: ClassVar[str]
    prompt_types: ClassVar[tuple[str, ...]] = ()
    black: ClassVar[float] = 0.0
    """What the lowest grey value becomes in the network's input."""

    def __init__(self, network: torch.nn.Module, *, weights_sha256: str) -> None:
        self.network = network.eval().requires_grad_(False)
        self.weights_sha256 = weights_sha256

    @property
    @abstractmethod
    def contract(self) -> Contract: ...

    @abstractmethod
    def prepare(self, image: NDArray[Any]) -> torch.Tensor: ...

    @abstractmethod
    def forward(self, inputs: torch.Tensor, prompt: Prompt | None = None) -> torch.Tensor: ...

    @abstractmethod
    def predict(self, image: NDArray[Any], prompt: Prompt | None = None) -> Prediction: ...

    @abstractmethod
    def feature_layer(self) -> torch.nn.Module:
        """The last layer with a spatial grid, offered to class-activation maps."""

    def network_prompt(self, prompt: Prompt | None, shape: tuple[int, int]) -> Prompt | None:
        """The prompt in pixels of the network's input; ``shape`` is that of the image it was given for."""
        return prompt

    def to_image(self, grid: torch.Tensor, shape: tuple[int, int]) -> torch.Tensor:
        """A map (h, w) of the network's input on the image (H, W) that it was prepared from."""
        return torch.nn.functional.interpolate(grid[None, None], size=shape, mode="bilinear", align_corners=False)[0, 0]

    def predict_many(self, images: list[NDArray[Any]], prompts: list[Prompt | None]) -> list[Prediction]:
        """Adapters with a faster way for many cases override this."""
        return [self.predict(image, prompt) for image, prompt in zip(images, prompts, strict=True)]


def checked_plane(image: NDArray[Any], *, name: str = "image") -> Array:
    """A finite grey image (H, W) as float32; a colour one (H, W, 3) becomes its mean over channels.

    Raises
    ------
    InvalidInput
        ``bad_shape``, ``not_finite``, ``not_numeric`` or ``flat_image`` (all pixels alike).
    """
    array = np.asarray(image)
    if not np.issubdtype(array.dtype, np.number):
        raise InvalidInput("not_numeric", f"{name} has dtype {array.dtype}: give numbers")
    if array.ndim == 3 and array.shape[2] in (3, 4):
        array = array[..., :3].mean(axis=2)
    if array.ndim != 2 or min(array.shape) < 8:
        raise InvalidInput("bad_shape", f"{name} has shape {array.shape}: give (height, width), each 8 or more")
    plane = array.astype(np.float32)
    if not np.isfinite(plane).all():
        raise InvalidInput("not_finite", f"{name} holds NaN or infinity: every pixel must be a finite number")
    if plane.max() == plane.min():
        raise InvalidInput("flat_image", f"every pixel of {name} is {plane.flat[0]:g}: there is nothing to see")
    return plane


def checked_path(path: Path) -> Path:
    if not path.is_file():
        raise InvalidInput("no_weights", f"{path} is not a file: give the path of a weights file")
    return path
