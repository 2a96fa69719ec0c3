"""Two layouts of the same SAM weights (original, transformers), and the architecture read from the shapes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import torch

from assurance.adapters.sam_parts import renamed
from assurance.evidence.errors import InvalidInput

ENCODER_RENAMES = (
    (r"^image_encoder\.patch_embed\.proj\.", "vision_encoder.patch_embed.projection."),
    (r"^image_encoder\.blocks\.", "vision_encoder.layers."),
    (r"^image_encoder\.neck\.0\.", "vision_encoder.neck.conv1."),
    (r"^image_encoder\.neck\.1\.", "vision_encoder.neck.layer_norm1."),
    (r"^image_encoder\.neck\.2\.", "vision_encoder.neck.conv2."),
    (r"^image_encoder\.neck\.3\.", "vision_encoder.neck.layer_norm2."),
    (r"^image_encoder\.", "vision_encoder."),
    (r"\.norm(\d)\.", r".layer_norm\1."),
)
POSITIONS = "positional_embedding"


@dataclass(frozen=True)
class SamShape:
    """Everything that differs between SAM encoders, as the shapes of the tensors tell it."""

    side: int
    patch: int
    width: int
    depth: int
    heads: int
    mlp: int
    window: int
    whole_grid_layers: tuple[int, ...]
    outputs: int
    prompt_width: int
    decoder_mlp: int

    @property
    def grid(self) -> int:
        return self.side // self.patch


def is_original(tensors: dict[str, Any]) -> bool:
    return "image_encoder.patch_embed.proj.weight" in tensors and "image_encoder.pos_embed" in tensors


def is_transformers(tensors: dict[str, Any]) -> bool:
    return "vision_encoder.patch_embed.projection.weight" in tensors


def in_transformers_layout(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Tensors under transformers' names; SAM's one matrix of positions stands there under two names."""
    out = {}
    for name, tensor in tensors.items():
        if name.startswith("image_encoder."):
            for pattern, replacement in ENCODER_RENAMES:
                name = re.sub(pattern, replacement, name)
        elif is_original(tensors):
            name = renamed(name)
        out[name] = tensor
    inner, outer = f"prompt_encoder.shared_embedding.{POSITIONS}", f"shared_image_embedding.{POSITIONS}"
    if inner in out or outer in out:
        out.setdefault(outer, out.get(inner))  # type: ignore[arg-type]
        out.setdefault(inner, out[outer])
    return out


def sam_shape(tensors: dict[str, Any]) -> SamShape:
    """Read the architecture from tensors in transformers' layout (anything that has ``.shape``).

    Raises
    ------
    InvalidInput
        ``other_model`` when these are not weights of a SAM with a plain ViT encoder.
    """
    try:
        projection = tuple(tensors["vision_encoder.patch_embed.projection.weight"].shape)
        grid = int(tensors["vision_encoder.pos_embed"].shape[1])
        layers = {int(name.split(".")[2]) for name in tensors if name.startswith("vision_encoder.layers.")}
        reach = [int(tensors[f"vision_encoder.layers.{layer}.attn.rel_pos_h"].shape[0]) for layer in sorted(layers)]
        head_width = int(tensors["vision_encoder.layers.0.attn.rel_pos_h"].shape[1])
        mlp = int(tensors["vision_encoder.layers.0.mlp.lin1.weight"].shape[0])
        outputs = int(tensors["vision_encoder.neck.conv1.weight"].shape[0])
        prompt_width = 2 * int(tensors[f"shared_image_embedding.{POSITIONS}"].shape[1])
        decoder_mlp = int(tensors["mask_decoder.transformer.layers.0.mlp.lin1.weight"].shape[0])
    except (KeyError, IndexError) as error:
        raise InvalidInput(
            "other_model", f"these are not weights of SAM with a ViT encoder: {error} is missing"
        ) from error
    whole = 2 * grid - 1
    windows = {(rows + 1) // 2 for rows in reach if rows != whole}
    if len(windows) > 1:
        raise InvalidInput(
            "other_model", f"these weights have attention windows of {sorted(windows)} patches: SAM has one size"
        )
    return SamShape(
        side=grid * projection[2], patch=projection[2], width=projection[0], depth=len(layers),
        heads=projection[0] // head_width, mlp=mlp, window=windows.pop() if windows else 0,
        whole_grid_layers=tuple(layer for layer, rows in enumerate(reach) if rows == whole),
        outputs=outputs, prompt_width=prompt_width, decoder_mlp=decoder_mlp,
    )  # fmt: skip


def sam_config(shape: SamShape) -> Any:
    from transformers import SamConfig, SamMaskDecoderConfig, SamPromptEncoderConfig, SamVisionConfig

    vision = SamVisionConfig(
        image_size=shape.side, patch_size=shape.patch, hidden_size=shape.width, num_hidden_layers=shape.depth,
        num_attention_heads=shape.heads, mlp_dim=shape.mlp, window_size=shape.window,
        global_attn_indexes=list(shape.whole_grid_layers), output_channels=shape.outputs,
        num_pos_feats=shape.prompt_width // 2,
    )  # fmt: skip
    prompt = SamPromptEncoderConfig(
        image_size=shape.side, patch_size=shape.patch, hidden_size=shape.prompt_width,
    )  # fmt: skip
    decoder = SamMaskDecoderConfig(hidden_size=shape.prompt_width, mlp_dim=shape.decoder_mlp)
    return SamConfig(vision_config=vision, prompt_encoder_config=prompt, mask_decoder_config=decoder)
