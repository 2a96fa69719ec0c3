"""MeshNet: dilated convolutions for tissue segmentation of a T1 head (Fedorov et al. 2017; brainchop's weights)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from assurance.adapters.described_model import DescribedModel
from assurance.adapters.description import Description
from assurance.adapters.weights_files import file_sha256, load_strictly, read_json, read_state_dict
from assurance.evidence.errors import InvalidInput

CLASSES = {3: ("background", "white matter", "grey matter"), 2: ("background", "brain")}
KINDS: dict[str, type[nn.Module]] = {"ReLU": nn.ReLU, "ELU": nn.ELU}
LAYER_FIELDS = ("in", "out", "kernel", "dilation", "padding")


class MeshNet(DescribedModel):
    key = "meshnet"
    modalities = ("MR",)
    checkpoint_layout = "safetensors of a plain sequence of Conv3d and activations, with <name>.json listing the layers"

    def feature_layer(self) -> nn.Module:
        """The last activation before the classes; it has the grid of the image."""
        return self.network[-2]  # type: ignore[index,no-any-return]

    def layers(self) -> Mapping[str, nn.Module]:
        named = dict(self.network.named_children())
        return {name: layer for name, layer in named.items() if not isinstance(layer, nn.Conv3d)}


def load(weights: Path, *, sha256: str | None = None, device: str = "cpu") -> MeshNet:
    """Read safetensors and the list of layers in ``<weights>.json`` (``layers``, and ``comment`` for the scale).

    The input is a T1 head at 1 mm, axes L, I, A as brainchop's conformed volumes; 0..1 by minimum and maximum, or by
    the 5 % and 95 % quantiles where the comment asks for them.

    Raises
    ------
    InvalidInput
        ``no_description``, ``bad_description``, ``unsafe_weights``, ``other_model``, ``broken_weights``.
    """
    content = read_json(weights.with_suffix(".json"), what="the list of MeshNet's layers")
    network = nn.Sequential(*(_layer(entry) for entry in content.get("layers", [])))
    if len(network) < 2 or not isinstance(network[-1], nn.Conv3d):
        raise InvalidInput("bad_description", f"{weights.with_suffix('.json')} lists no layers that end in a Conv3d")
    load_strictly(network, read_state_dict(weights, sha256=sha256), what="this MeshNet")
    outputs = network[-1].out_channels
    quantiles = "quantile" in str(content.get("comment", ""))
    description = Description(
        task="segmentation", classes=CLASSES.get(outputs, tuple(f"class {place}" for place in range(outputs))),
        dims=3, spacing_mm=(1.0, 1.0, 1.0), axes="LIA", scale="quantiles" if quantiles else "minmax",
        low=0.05 if quantiles else 0.0, high=0.95 if quantiles else 1.0,
        licence="MIT", source="neuroneural/brainchop",
    )  # fmt: skip
    return MeshNet(network, description, weights_sha256=file_sha256(weights), device=device)


def _layer(entry: Any) -> nn.Module:
    kind = entry.get("type") if isinstance(entry, dict) else None
    if kind in KINDS:
        return KINDS[kind]()
    if kind != "Conv3d":
        raise InvalidInput("bad_description", f"layer {entry!r}: give Conv3d, {' or '.join(KINDS)}")
    missing = [name for name in LAYER_FIELDS if not isinstance(entry.get(name), int)]
    if missing:
        raise InvalidInput("bad_description", f"layer {entry.get('index')} of type Conv3d lacks {missing[0]}")
    return nn.Conv3d(entry["in"], entry["out"], entry["kernel"], padding=entry["padding"], dilation=entry["dilation"])
