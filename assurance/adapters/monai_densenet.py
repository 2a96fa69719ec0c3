"""A MONAI DenseNet with its description beside it (``<weights>.json``): classifiers of grey images."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn
from torch.nn import functional as F

from assurance.adapters.protocol import Contract, LoadedModel, Prediction, Prompt, checked_plane, within_memory
from assurance.adapters.weights_files import file_sha256, load_strictly, read_state_dict
from assurance.evidence.errors import InvalidInput

THUMBNAIL, SIDE = 28, 64
MEAN, SD = 0.5, 0.25


class MonaiDenseNet(LoadedModel):
    key = "monai-densenet"
    task = "classification"
    modalities = ("CR", "DX")
    licence = "CC BY 4.0"
    black = (0 - MEAN) / SD
    checkpoint_layout = "safetensors of monai.networks.nets.DenseNet, with <name>.json: kwargs and classes"
    source = "trained by this project on PneumoniaMNIST (MedMNIST v2)"

    def __init__(
        self, network: nn.Module, *, weights_sha256: str, classes: tuple[str, ...], device: str = "cpu"
    ) -> None:
        super().__init__(network, weights_sha256=weights_sha256, device=device)
        self.classes = classes

    @property
    def contract(self) -> Contract:
        return Contract(
            inputs=f"grey image (H, W) in 0..255; centre square, {THUMBNAIL} × {THUMBNAIL} (bicubic, antialiased), "
            f"then {SIDE} × {SIDE} (bilinear), (x − {MEAN}) / {SD}",
            outputs="softmax over " + ", ".join(self.classes),
            input_shape=(1, SIDE, SIDE),
            classes=self.classes,
        )

    def prepare(self, image: NDArray[Any]) -> torch.Tensor:
        plane = checked_plane(image)
        if plane.min() < 0 or plane.max() > 255:
            raise InvalidInput(
                "out_of_range", f"image values lie in {plane.min():g}..{plane.max():g}: give 8-bit grey values 0..255"
            )
        height, width = plane.shape
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        square = Image.fromarray(plane[top : top + side, left : left + side].round().astype(np.uint8))
        small = np.asarray(square.resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BICUBIC), dtype=np.float32) / 255
        tensor = torch.from_numpy(small)[None, None]
        large = F.interpolate(tensor, size=(SIDE, SIDE), mode="bilinear", align_corners=False)
        return ((large - MEAN) / SD).to(self.device)

    def forward(self, inputs: torch.Tensor, prompt: Prompt | None = None) -> torch.Tensor:
        """Logits (B, classes)."""
        return self.network(inputs)

    @within_memory
    @torch.inference_mode()
    def predict(self, image: NDArray[Any], prompt: Prompt | None = None) -> Prediction:
        shares = self.forward(self.prepare(image)).softmax(dim=1)[0]
        return Prediction(scores={name: float(share) for name, share in zip(self.classes, shares, strict=True)})

    def to_image(self, grid: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
        """Only the centre square is looked at; what lies beside it gets 0."""
        height, width = shape
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        full = torch.zeros(shape, device=grid.device)
        full[top : top + side, left : left + side] = super().to_image(grid, (side, side))
        return full

    def feature_layer(self) -> nn.Module:
        return self.network.features.denseblock4  # type: ignore[union-attr,return-value]

    def layers(self) -> Mapping[str, nn.Module]:
        blocks = dict(self.network.features.named_children())  # type: ignore[union-attr,operator]
        return {f"features.{name}": block for name, block in blocks.items() if name.startswith("denseblock")}


def load(weights: Path, *, sha256: str | None = None, device: str = "cpu") -> MonaiDenseNet:
    """Read safetensors with the description in a file of the same name that ends in ``.json``."""
    from monai.networks.nets.densenet import DenseNet

    description_path = weights.with_suffix(".json")
    if not description_path.is_file():
        raise InvalidInput("no_description", f"{description_path} is not there: it names classes and layer sizes")
    description = json.loads(description_path.read_text(encoding="utf-8"))
    network = DenseNet(**description["kwargs"])
    load_strictly(network, read_state_dict(weights, sha256=sha256), what="this MONAI DenseNet")
    for module in network.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False  # attribution hooks need the values before
    return MonaiDenseNet(
        network, weights_sha256=file_sha256(weights), classes=tuple(description["classes"]), device=device
    )
