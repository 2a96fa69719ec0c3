"""Image classifiers in a folder of transformers: ViT, DeiT, Swin, ResNet, ConvNeXt and their relatives."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from assurance.adapters.described_model import DescribedModel
from assurance.adapters.description import Description
from assurance.adapters.extras import needed
from assurance.adapters.monai_networks import spatial_layers
from assurance.adapters.protocol import Array, AttentionLayer, Prompt, memory_refused
from assurance.adapters.weights_files import checked_sha256, read_json, read_state_dict, refuse_broken
from assurance.evidence.errors import InvalidInput, NotComputable

FILES = ("model.safetensors", "pytorch_model.bin")
PREFIX_TOKENS = {"vit": 1, "deit": 2, "dinov2": 1}
"""Tokens before the patches, for families whose attention is over a plain grid."""


class HfImageClassifier(DescribedModel):
    key = "hf-image-classifier"
    modalities = ("OT",)
    checkpoint_layout = "transformers folder: config.json, model.safetensors, preprocessor_config.json"

    def __init__(
        self, network: nn.Module, description: Description, *, weights_sha256: str, device: str = "cpu"
    ) -> None:
        super().__init__(network, description, weights_sha256=weights_sha256, device=device)
        self.family = str(network.config.model_type)  # type: ignore[union-attr]

    def forward(self, inputs: torch.Tensor, prompt: Prompt | None = None) -> torch.Tensor:
        return self.network(pixel_values=inputs).logits  # type: ignore[no-any-return]

    @functools.cached_property
    def _grids(self) -> dict[str, nn.Module]:
        return {} if self.family in PREFIX_TOKENS else spatial_layers(self.network, self.contract.input_shape)

    def feature_layer(self) -> nn.Module:
        if not self._grids:
            raise NotComputable(
                "no_layer", f"a {self.family} has tokens and no grid of features: use attention rollout"
            )
        return list(self._grids.values())[-1]

    def layers(self) -> Mapping[str, nn.Module]:
        return self._grids

    def embed(self, image: Any) -> Array:
        """The mean over patches (or pixels) of the last hidden state."""
        with torch.inference_mode(), memory_refused(self.key):
            states = self.network(pixel_values=self.prepare(image), output_hidden_states=True).hidden_states[-1]
        if states.dim() == 4:
            return states.flatten(2).mean(dim=2)[0].cpu().numpy()  # type: ignore[no-any-return]
        return states[0, PREFIX_TOKENS.get(self.family, 0) :].mean(dim=0).cpu().numpy()  # type: ignore[no-any-return]

    def attention_layers(self) -> Mapping[str, AttentionLayer]:
        if self.family not in PREFIX_TOKENS:
            return {}
        config: Any = self.network.config
        grid = tuple(side // config.patch_size for side in self.description.size)
        return {
            name: AttentionLayer(module, grid, config.num_attention_heads, prefix_tokens=PREFIX_TOKENS[self.family])
            for name, module in self.network.named_modules()
            if hasattr(module, "num_attention_heads") and hasattr(module, "scaling")
        }


def load(weights: Path, *, sha256: str | None = None, device: str = "cpu") -> HfImageClassifier:
    """Read the folder; no code of it runs and nothing is fetched.

    Raises
    ------
    InvalidInput
        ``no_weights``, ``no_description``, ``other_model`` (not an image classifier, or other tensors).
    Unavailable
        ``extra_missing`` without transformers.
    """
    transformers = needed("transformers", extra="medsam")
    if not weights.is_dir():
        raise InvalidInput("no_weights", f"{weights} is not a folder: give that of a transformers model")
    content = read_json(weights / "config.json", what="transformers' description of the model")
    file = next((weights / name for name in FILES if (weights / name).is_file()), None)
    if file is None:
        raise InvalidInput("no_weights", f"{weights} has none of {', '.join(FILES)}")
    if content.get("auto_map"):
        raise InvalidInput(
            "unsafe_weights", f"{weights} asks for code of its own (auto_map): only built-in models are read"
        )
    config = _config(transformers, weights, content)
    # Read once as plain tensors, so that a pickle with code or broken weights never reach transformers.
    refuse_broken(read_state_dict(file), what=f"this {config.model_type} classifier")
    # It knows the older names of its own families, so it loads and says what did not fit.
    network, report = transformers.AutoModelForImageClassification.from_pretrained(
        weights, config=config, local_files_only=True, trust_remote_code=False, attn_implementation="eager",
        use_safetensors=file.suffix == ".safetensors", output_loading_info=True, ignore_mismatched_sizes=True,
        dtype=torch.float32,
    )  # fmt: skip
    parts = [
        f"{len(report[kind])} {kind.removesuffix('_keys')} ({', '.join(map(str, sorted(report[kind])[:3]))})"
        for kind in ("missing_keys", "unexpected_keys", "mismatched_keys")
        if report.get(kind)
    ]
    if parts:
        raise InvalidInput(
            "other_model", f"these are not weights of this {config.model_type} classifier: {'; '.join(parts)}"
        )
    return HfImageClassifier(
        network, _description(weights, config), weights_sha256=checked_sha256(weights, sha256), device=device
    )


def _config(transformers: Any, folder: Path, content: dict[str, Any]) -> Any:
    names = content.get("architectures") or ["none"]
    try:
        config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (ValueError, OSError, KeyError) as error:
        raise InvalidInput(
            "other_model", f"{folder}: transformers does not know its model type ({str(error)[:120]})"
        ) from error
    if not str(names[0]).endswith("ForImageClassification"):
        raise InvalidInput("other_model", f"{folder} holds a {names[0]}: an image classifier is needed")
    return config


def _description(folder: Path, config: Any) -> Description:
    steps = read_json(folder / "preprocessor_config.json", what="how an image becomes the network's input")
    size = steps.get("size", getattr(config, "image_size", 224))
    if isinstance(size, dict):
        size = (size.get("height") or size.get("shortest_edge"), size.get("width") or size.get("shortest_edge"))
    elif isinstance(size, int):
        size = (size, size)
    channels = int(getattr(config, "num_channels", 3))
    normal = bool(steps.get("do_normalize", True))
    labels = config.id2label
    return Description(
        task="classification", classes=tuple(str(labels[place]) for place in sorted(labels)), channels=channels,
        size=tuple(int(side) for side in size), scale="bytes",
        mean=tuple(steps.get("image_mean", (0.5,))) if normal else (0.0,),
        sd=tuple(steps.get("image_std", (0.5,))) if normal else (1.0,),
        activation="sigmoid" if config.problem_type == "multi_label_classification" else "softmax",
        source=f"transformers {config.model_type}, {config.name_or_path or folder.name}",
    )  # fmt: skip
