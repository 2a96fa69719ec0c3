"""SAM's prompt encoder and mask decoder (Kirillov et al. 2023) from transformers, under the checkpoint's names."""

from __future__ import annotations

import re

import torch
from torch import nn

RENAMES = (  # pattern in the original checkpoint -> name in transformers; applied in this order
    (r"pe_layer\.positional_encoding_gaussian_matrix", "shared_embedding.positional_embedding"),
    (r"point_embeddings\.", "point_embed."),
    (r"mask_downscaling\.0\.", "mask_embed.conv1."),
    (r"mask_downscaling\.1\.", "mask_embed.layer_norm1."),
    (r"mask_downscaling\.3\.", "mask_embed.conv2."),
    (r"mask_downscaling\.4\.", "mask_embed.layer_norm2."),
    (r"mask_downscaling\.6\.", "mask_embed.conv3."),
    (r"\.norm(\d)\.", r".layer_norm\1."),
    (r"norm_final_attn", "layer_norm_final_attn"),
    (r"output_upscaling\.0\.", "upscale_conv1."),
    (r"output_upscaling\.1\.", "upscale_layer_norm."),
    (r"output_upscaling\.3\.", "upscale_conv2."),
    (r"(output_hypernetworks_mlps\.\d+|iou_prediction_head)\.layers\.0\.", r"\1.proj_in."),
    (r"(output_hypernetworks_mlps\.\d+|iou_prediction_head)\.layers\.2\.", r"\1.proj_out."),
    (r"(output_hypernetworks_mlps\.\d+|iou_prediction_head)\.layers\.1\.", r"\1.layers.0."),
)


def renamed(name: str) -> str:
    for pattern, replacement in RENAMES:
        name = re.sub(pattern, replacement, name)
    return name


class PromptedDecoder(nn.Module):
    """Boxes on an image embedding to mask logits. Boxes are in pixels of the network's square input."""

    def __init__(self, *, image_size: int, grid: int) -> None:
        super().__init__()
        from transformers import SamConfig, SamMaskDecoderConfig, SamPromptEncoderConfig, SamVisionConfig
        from transformers.models.sam.modeling_sam import SamMaskDecoder, SamPromptEncoder

        patch = image_size // grid
        vision = SamVisionConfig(image_size=image_size, patch_size=patch)
        prompt = SamPromptEncoderConfig(image_size=image_size, patch_size=patch)
        decoder = SamMaskDecoderConfig()
        config = SamConfig(vision_config=vision, prompt_encoder_config=prompt, mask_decoder_config=decoder)
        config._attn_implementation = decoder._attn_implementation = "eager"
        self.grid = grid
        self.prompt_encoder = SamPromptEncoder(config)
        self.mask_decoder = SamMaskDecoder(decoder)

    def positions(self) -> torch.Tensor:
        """Encoded positions of the grid's cell centres, (1, C, grid, grid)."""
        where = self.prompt_encoder.shared_embedding.positional_embedding.device
        steps = (torch.arange(self.grid, dtype=torch.float32, device=where) + 0.5) / self.grid
        down, across = torch.meshgrid(steps, steps, indexing="ij")
        encoded = self.prompt_encoder.shared_embedding(torch.stack((across, down), dim=-1))
        return encoded.permute(2, 0, 1)[None]

    def forward(self, embedding: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
        """``embedding`` (B, C, grid, grid) and one box each, ``boxes`` (B, 4): logits (B, 1, 4·grid, 4·grid)."""
        sparse, dense = self.prompt_encoder(
            input_points=None, input_labels=None, input_boxes=boxes[:, None, :], input_masks=None
        )
        if dense.shape[0] != embedding.shape[0]:
            dense = dense.expand(embedding.shape[0], -1, -1, -1)
        masks = self.mask_decoder(
            image_embeddings=embedding,
            image_positional_embeddings=self.positions().to(embedding).expand(embedding.shape[0], -1, -1, -1),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=False,
        )[0]
        return masks[:, 0]
