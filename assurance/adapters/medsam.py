"""MedSAM: the Segment Anything Model fine-tuned on medical images (Ma et al. 2024)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from assurance.adapters.extras import needed
from assurance.adapters.protocol import (
    AttentionLayer,
    Contract,
    LoadedModel,
    Prediction,
    Prompt,
    checked_plane,
    within_memory,
)
from assurance.adapters.sam_layouts import (
    SamShape,
    in_transformers_layout,
    is_original,
    is_transformers,
    sam_config,
    sam_shape,
)
from assurance.adapters.weights_files import (
    checked_sha256,
    in_single_precision,
    load_strictly,
    read_json,
    read_state_dict,
    without_prefix,
)
from assurance.evidence.errors import InvalidInput

FOLDER_FILES = ("model.safetensors", "pytorch_model.bin")


class MedSam(LoadedModel):
    """The authors' preprocessing, not that of ``SamProcessor``: no padding, no mean and deviation of ImageNet."""

    key = "medsam"
    task = "segmentation"
    modalities = ("CR", "CT", "MR", "US", "XA", "PT", "MG", "ES", "OP")
    licence = "Apache-2.0"
    source = "bowang-lab/MedSAM, wanglab/medsam-vit-base"
    checkpoint_layout = (
        "medsam_vit_b.pth (image_encoder.*, prompt_encoder.*, mask_decoder.*), "
        "or a folder of transformers SamModel (config.json, model.safetensors)"
    )
    prompt_types = ("box", "points")

    def __init__(self, network: nn.Module, shape: SamShape, *, weights_sha256: str, device: str = "cpu") -> None:
        super().__init__(network, weights_sha256=weights_sha256, device=device)
        self.shape = shape

    @property
    def contract(self) -> Contract:
        side = self.shape.side
        return Contract(
            inputs=f"grey image (H, W), resized to {side} × {side} without padding (bicubic, antialiased), then scaled "
            "to 0..1 by its own minimum and maximum; a box or points in pixels of the given image",
            outputs="mask logits (H, W); the mask is logit > 0",
            input_shape=(3, side, side),
        )

    def prepare(self, image: NDArray[Any]) -> torch.Tensor:
        side = self.shape.side
        tensor = torch.from_numpy(checked_plane(image))[None, None]
        if tensor.shape[-2:] != (side, side):
            tensor = F.interpolate(tensor, size=(side, side), mode="bicubic", align_corners=False, antialias=True)
        tensor = (tensor - tensor.min()) / (tensor.max() - tensor.min())
        return tensor.expand(1, 3, side, side).contiguous().to(self.device)

    def network_prompt(self, prompt: Prompt | None, shape: tuple[int, ...]) -> Prompt:
        """Box and points on the network's grid. A prompt needs one of the two."""
        prompt = prompt or Prompt()
        height, width = shape[:2]
        across, down = self.shape.side / width, self.shape.side / height
        points, labels = prompt.checked_points(height=height, width=width)
        box = None
        if prompt.box is not None or not points:
            x0, y0, x1, y1 = prompt.checked(height=height, width=width)
            box = (x0 * across, y0 * down, x1 * across, y1 * down)
        return Prompt(box=box, points=tuple((x * across, y * down) for x, y in points), point_labels=labels)

    def encode(self, inputs: torch.Tensor) -> torch.Tensor:
        """Image embedding (B, C, grid, grid), which serves any number of prompts."""
        return self.network.vision_encoder(inputs).last_hidden_state  # type: ignore[operator,union-attr,no-any-return]

    def decode(self, embedding: torch.Tensor, prompt: Prompt | None) -> torch.Tensor:
        """Logits (B, 1, 4·grid, 4·grid) of a prompt in pixels of the network's input, given :meth:`encode`."""
        prompt = self.network_prompt(prompt, (self.shape.side, self.shape.side))
        batch = len(embedding)
        boxes = points = labels = None
        if prompt.box is not None:
            boxes = torch.tensor([[prompt.box]], dtype=torch.float32, device=self.device).expand(batch, 1, 4)
        if prompt.points:
            points = torch.tensor([[prompt.points]], dtype=torch.float32, device=self.device)
            points = points.expand(batch, 1, len(prompt.points), 2)
            labels = torch.tensor([[prompt.point_labels]], device=self.device).expand(batch, 1, len(prompt.points))
        output = self.network(
            image_embeddings=embedding,
            input_boxes=boxes,
            input_points=points,
            input_labels=labels,
            multimask_output=False,
        )
        return output.pred_masks[:, 0]  # type: ignore[no-any-return]

    def forward(self, inputs: torch.Tensor, prompt: Prompt | None = None) -> torch.Tensor:
        return self.decode(self.encode(inputs), prompt)

    @within_memory
    @torch.inference_mode()
    def predict(self, image: NDArray[Any], prompt: Prompt | None = None) -> Prediction:
        shape = np.asarray(image).shape[:2]
        inputs = self.prepare(image)
        logits = self.decode(self.encode(inputs), self.network_prompt(prompt, shape))
        full = F.interpolate(logits, size=shape, mode="bilinear", align_corners=False)[0, 0].cpu().numpy()
        return Prediction(mask=full > 0, logits=full)

    def feature_layer(self) -> nn.Module:
        return self.network.vision_encoder.neck  # type: ignore[union-attr,return-value]

    def layers(self) -> Mapping[str, nn.Module]:
        return {"vision_encoder.neck": self.feature_layer()}

    def attention_layers(self) -> Mapping[str, AttentionLayer]:
        """All layers of the encoder, most of them within windows; weights are (B·heads, tokens, tokens)."""
        grid = (self.shape.grid, self.shape.grid)
        return {
            f"vision_encoder.layers.{place}.attn": AttentionLayer(
                layer.attn, grid, self.shape.heads, 0 if place in self.shape.whole_grid_layers else self.shape.window
            )
            for place, layer in enumerate(self.network.vision_encoder.layers)  # type: ignore[union-attr,arg-type]
        }


def load(weights: Path, *, sha256: str | None = None, device: str = "cpu") -> MedSam:
    """Read a checkpoint of either layout: a file, or a folder as transformers saves it.

    Raises
    ------
    InvalidInput
        ``no_weights``, ``unsafe_weights``, ``other_model``, ``broken_weights``.
    Unavailable
        ``extra_missing`` without transformers.
    """
    transformers = needed("transformers", extra="medsam")
    path = weights_in_folder(weights) if weights.is_dir() else weights
    tensors = in_single_precision(without_prefix(read_state_dict(path)))
    digest = checked_sha256(weights, sha256)
    if not (is_original(tensors) or is_transformers(tensors)):
        raise InvalidInput(
            "other_model",
            f"{path} is not a MedSAM checkpoint: it has neither image_encoder.patch_embed.proj nor vision_encoder.*",
        )
    tensors = in_transformers_layout(tensors)
    shape = sam_shape(tensors)
    config = sam_config(shape)
    # Eager attention gives its weights, which rollout needs.
    config._attn_implementation = config.vision_config._attn_implementation = "eager"
    config.mask_decoder_config._attn_implementation = "eager"
    network = transformers.SamModel(config)
    load_strictly(network, tensors, what="MedSAM")
    return MedSam(network, shape, weights_sha256=digest, device=device)


def weights_in_folder(folder: Path) -> Path:
    """The weights of a folder in the layout of ``SamModel.save_pretrained``."""
    kind = read_json(folder / "config.json", what="transformers' description of the model").get("model_type")
    if kind != "sam":
        raise InvalidInput("other_model", f"{folder} holds a transformers model of type {kind!r}: MedSAM is 'sam'")
    for name in FOLDER_FILES:
        if (folder / name).is_file():
            return folder / name
    raise InvalidInput("no_weights", f"{folder} has none of {', '.join(FOLDER_FILES)}")
