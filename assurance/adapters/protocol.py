"""What every adapter offers, so that explainers and tasks need not know which model they hold."""

from __future__ import annotations

import copy
import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, ParamSpec, Self, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from assurance.adapters.images import Array as Array
from assurance.adapters.images import Pair as Pair
from assurance.adapters.images import Volume as Volume
from assurance.adapters.images import checked_plane as checked_plane
from assurance.adapters.memory import keep_large_blocks
from assurance.adapters.prompts import Prompt as Prompt
from assurance.evidence.errors import InvalidInput, NotComputable, Unavailable

P = ParamSpec("P")
R = TypeVar("R")
PRECISIONS = ("float32", "bfloat16", "float16")


@dataclass(frozen=True, slots=True)
class Contract:
    """Inputs and outputs in the model's own terms, as cards and checks print them.

    ``input_shape`` is (C, ...) of one network input; ``spacing_mm`` that of its grid where the model fixes it.
    ``output_unit`` is the unit of what ``forward`` gives.
    """

    inputs: str
    outputs: str
    input_shape: tuple[int, ...]
    classes: tuple[str, ...] = ()
    spacing_mm: tuple[float, ...] = ()
    output_unit: str = "logit"


@dataclass(frozen=True, slots=True)
class Prediction:
    """One answer in physical units; what a task does not give stays empty.

    ``scores`` by class (classification). ``mask`` booleans and ``logits`` on the image, or ``labels`` whole numbers by
    voxel (segmentation). ``displacement_mm`` (3, a, b, c) along the array axes of the fixed volume, for each of its
    voxels the way to the match in the moving one, and ``warped``, the moving volume on that grid (registration).
    ``boxes`` by structure, (low, high) corners in voxels of the given volume (localization). ``image`` (generation).
    ``settings`` is what must be known to repeat it: scheduler, guidance, seed.
    """

    scores: Mapping[str, float] = field(default_factory=dict)
    mask: NDArray[np.bool_] | None = None
    logits: Array | None = None
    labels: NDArray[np.int16] | None = None
    displacement_mm: Array | None = None
    warped: Array | None = None
    boxes: Mapping[str, tuple[tuple[float, ...], tuple[float, ...]]] = field(default_factory=dict)
    image: Array | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AttentionLayer:
    """Self-attention over a grid of patches. ``window`` is its side in patches, 0 where every patch sees every other.

    ``module`` returns (values, weights) with weights (B·heads or B, heads, tokens, tokens) in the graph.
    """

    module: torch.nn.Module
    grid: tuple[int, ...]
    heads: int
    window: int = 0
    prefix_tokens: int = 0


class LoadedModel(ABC):
    """A model in memory, in evaluation mode, with parameter gradients off.

    ``prepare`` turns an image of the world into the network's input tensor (1, C, ...); ``forward`` gives logits
    (B, classes) or (B, 1, h, w) or (B, classes, d, h, w), and displacements (B, 3, d, h, w) for registration. It is
    differentiable with respect to that tensor where ``differentiable`` says so.
    """

    key: ClassVar[str]
    task: ClassVar[str]
    modalities: ClassVar[tuple[str, ...]]
    licence: ClassVar[str]
    source: ClassVar[str]
    checkpoint_layout: ClassVar[str] = ""
    """How the official weights file names its tensors."""
    prompt_types: ClassVar[tuple[str, ...]] = ()
    """Of box, points, text, mask and label."""
    input_kind: ClassVar[str] = "plane"
    """``plane``, ``volume``, ``pair`` or ``none`` (a generator that starts from noise)."""
    differentiable: ClassVar[bool] = True
    black: float = 0.0
    """What the lowest grey value becomes in the network's input."""
    precision: str = "float32"
    """Of ``answer``: ``bfloat16`` and ``float16`` save memory and, where the device has units for them, time."""

    def __init__(self, network: torch.nn.Module, *, weights_sha256: str, device: str = "cpu") -> None:
        self.device = checked_device(device)
        keep_large_blocks()
        self.network = network.eval().requires_grad_(False).to(self.device)
        self.weights_sha256 = weights_sha256

    @property
    @abstractmethod
    def contract(self) -> Contract: ...

    @abstractmethod
    def prepare(self, image: Any) -> torch.Tensor: ...

    @abstractmethod
    def forward(self, inputs: torch.Tensor, prompt: Prompt | None = None) -> torch.Tensor: ...

    @abstractmethod
    def predict(self, image: Any, prompt: Prompt | None = None) -> Prediction: ...

    def answer(self, inputs: torch.Tensor, prompt: Prompt | None = None) -> torch.Tensor:
        """``forward`` in the model's ``precision``; what comes out is float32 again."""
        if self.precision == "float32":
            return self.forward(inputs, prompt)
        with torch.autocast(self.device.type, dtype=getattr(torch, self.precision)):
            return self.forward(inputs, prompt).float()

    def whole(self, inputs: torch.Tensor, prompt: Prompt | None = None) -> torch.Tensor:
        """``answer`` without a gradient; adapters of large volumes put it together from windows."""
        return self.answer(inputs, prompt)

    def in_precision(self, name: str) -> Self:
        """This model, its weights shared, that answers in mixed precision.

        Raises
        ------
        InvalidInput
            ``bad_precision``: not one of :data:`PRECISIONS`, or ``float16`` without a GPU.
        """
        if name not in PRECISIONS or (name == "float16" and self.device.type == "cpu"):
            raise InvalidInput(
                "bad_precision",
                f"precision {name!r} on {self.device.type}: choose float32 or bfloat16, on a GPU float16",
            )
        other = copy.copy(self)
        other.precision = name
        return other

    def with_network(self, network: torch.nn.Module) -> Self:
        """This model with another network of the same architecture; the model itself stays as it is."""
        other = copy.copy(self)
        other.network = network.eval().requires_grad_(False)
        return other

    def feature_layer(self) -> torch.nn.Module:
        """The last layer with a spatial grid, offered to class-activation maps."""
        raise NotComputable("no_layer", f"{self.key} offers no inner layer: choose a method that asks outputs only")

    def layers(self) -> Mapping[str, torch.nn.Module]:
        """Layers with a spatial grid by their name in the network, from the input to the output."""
        try:
            last = self.feature_layer()
        except NotComputable:
            return {}
        return {next((name for name, module in self.network.named_modules() if module is last), "features"): last}

    def attention_layers(self) -> Mapping[str, AttentionLayer]:
        """Self-attention layers over patches, for rollout; empty where the network has none."""
        return {}

    @contextmanager
    def recorded_attention(self) -> Iterator[dict[str, torch.Tensor]]:
        """Collect the attention weights of every ``forward`` inside, by layer; they stay in the graph."""
        found: dict[str, torch.Tensor] = {}
        handles = [
            layer.module.register_forward_hook(functools.partial(_keep_weights, found, name))
            for name, layer in self.attention_layers().items()
        ]
        try:
            yield found
        finally:
            for handle in handles:
                handle.remove()

    def embed(self, image: Any) -> Array:
        """One vector for one image: the means of the feature layer's channels. For drift of embeddings.

        Raises
        ------
        NotComputable
            ``no_layer``, ``out_of_memory``; and what ``prepare`` refuses.
        """
        kept: list[torch.Tensor] = []
        layer = self.feature_layer()
        handle = layer.register_forward_hook(lambda _module, _inputs, output: kept.append(first_tensor(output)))
        try:
            with torch.inference_mode(), memory_refused(self.key):
                self.encode(self.prepare(image))
        finally:
            handle.remove()
        return kept[-1].flatten(2).mean(dim=2)[0].float().cpu().numpy()

    def encode(self, inputs: torch.Tensor) -> Any:
        """Run the network as far as ``feature_layer``. Promptable models override this: features need no prompt."""
        return self.forward(inputs)

    def network_prompt(self, prompt: Prompt | None, shape: tuple[int, ...]) -> Prompt | None:
        """The prompt in pixels of the network's input; ``shape`` is that of the image it was given for."""
        return prompt

    def to_image(self, grid: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
        """A map (h, w) or (d, h, w) of the network's input on the image that it was prepared from."""
        mode = "bilinear" if len(shape) == 2 else "trilinear"
        return torch.nn.functional.interpolate(grid[None, None], size=shape, mode=mode, align_corners=False)[0, 0]

    def to_volume(self, grid: torch.Tensor, volume: Volume) -> torch.Tensor:
        """The same for a volume, on its voxels and in its axes."""
        return self.to_image(grid, volume.array.shape)

    def predict_many(self, images: list[Any], prompts: list[Prompt | None]) -> list[Prediction]:
        """Adapters with a faster way for many cases override this."""
        return [self.predict(image, prompt) for image, prompt in zip(images, prompts, strict=True)]


def _keep_weights(found: dict[str, torch.Tensor], name: str, module: torch.nn.Module, inputs: Any, output: Any) -> None:
    if not isinstance(output, tuple) or len(output) < 2 or not isinstance(output[1], torch.Tensor):
        raise NotComputable("no_attention", f"{name} gives no attention weights: load the model with eager attention")
    found[name] = output[1]


def first_tensor(output: Any) -> torch.Tensor:
    while not isinstance(output, torch.Tensor):
        output = output[0]
    return output


@contextmanager
def memory_refused(key: str) -> Iterator[None]:
    """Running out of memory is an outcome with a reason, on a GPU as on a CPU; nothing else is caught."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise _no_memory(key) from error
    except RuntimeError as error:
        # torch's CPU allocator raises a plain RuntimeError.
        if "allocate memory" not in str(error) and "out of memory" not in str(error).lower():
            raise
        raise _no_memory(key) from error


def _no_memory(key: str) -> NotComputable:
    return NotComputable(
        "out_of_memory", f"{key} ran out of memory on this image: crop it, or run it where there is more memory"
    )


def within_memory(method: Callable[P, R]) -> Callable[P, R]:
    """:func:`memory_refused` around a method of a loaded model."""

    @functools.wraps(method)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        with memory_refused(getattr(args[0], "key", "the model")):
            return method(*args, **kwargs)

    return run


def checked_device(name: str) -> torch.device:
    """``cpu``, ``cuda``, ``cuda:1`` or ``mps``; ``auto`` takes a GPU when there is one.

    Raises
    ------
    InvalidInput
        ``bad_device``: not a name of a device.
    Unavailable
        ``no_device``: this machine has none.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise InvalidInput("bad_device", f"device {name!r}: give cpu, cuda, cuda:0 or auto") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise Unavailable("no_device", f"device {name}: this machine has {torch.cuda.device_count()} CUDA devices")
    if device.type not in ("cpu", "cuda", "mps"):
        raise InvalidInput("bad_device", f"device {name!r}: give cpu, cuda, cuda:0 or auto")
    return device


def checked_path(path: Path) -> Path:
    if not path.is_file():
        raise InvalidInput("no_weights", f"{path} is not a file: give the path of a weights file")
    return path
