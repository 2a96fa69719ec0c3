"""MONAI's U-Net and SwinUNETR with a description beside the weights: segmentation of planes and volumes."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from assurance.adapters.described_model import DescribedModel
from assurance.adapters.description import Description, read_description
from assurance.adapters.weights_files import file_sha256, load_strictly, read_state_dict, without_prefix
from assurance.evidence.errors import InvalidInput


class MonaiNetwork(DescribedModel):
    modalities = ("CT", "MR", "CR", "DX", "US")

    def __init__(
        self, network: nn.Module, description: Description, *, key: str, weights_sha256: str, device: str = "cpu"
    ) -> None:
        super().__init__(network, description, weights_sha256=weights_sha256, device=device)
        self.key = key  # type: ignore[misc]
        self.checkpoint_layout = f"state dict of {type(network).__module__}.{type(network).__name__}"  # type: ignore[misc]

    @functools.cached_property
    def _grids(self) -> dict[str, nn.Module]:
        return spatial_layers(self.network, self.contract.input_shape, multiple=self.description.multiple_of)

    def feature_layer(self) -> nn.Module:
        return list(self._grids.values())[-1] if self._grids else super().feature_layer()

    def layers(self) -> Mapping[str, nn.Module]:
        return self._grids


def spatial_layers(network: nn.Module, input_shape: tuple[int, ...], *, multiple: int = 1) -> dict[str, nn.Module]:
    """Convolutions and blocks whose output has a grid smaller than the input's, in the order in which they run.

    The coarsest one comes last among those that run last, since class-activation maps need the most abstract grid: the
    layers after the bottleneck of a U-shaped network are left out.
    """
    side = max(2 * multiple, 32)
    shape = tuple(length or side for length in input_shape[1:])
    seen: list[tuple[str, nn.Module, int]] = []

    def keep(name: str) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            if isinstance(output, torch.Tensor) and output.dim() == len(shape) + 2:
                seen.append((name, module, int(torch.tensor(output.shape[2:]).prod())))

        return hook

    handles = [
        module.register_forward_hook(keep(name))
        for name, module in network.named_modules()
        if name and not isinstance(module, nn.Dropout | nn.Identity) and len(list(module.children())) != 0
    ]
    try:
        with torch.inference_mode():
            device = next(network.parameters()).device
            network(torch.zeros(1, input_shape[0], *shape, device=device))
    finally:
        for handle in handles:
            handle.remove()
    whole = int(torch.tensor(shape).prod())
    smaller = [(name, module, voxels) for name, module, voxels in seen if 1 < voxels < whole]
    if not smaller:
        return {}
    coarsest = min(voxels for _, _, voxels in smaller)
    last = max(place for place, (_, _, voxels) in enumerate(smaller) if voxels == coarsest)
    return {name: module for name, module, _ in smaller[: last + 1]}


def load_unet(weights: Path, *, sha256: str | None = None, device: str = "cpu") -> MonaiNetwork:
    """``monai.networks.nets.UNet(**kwargs)`` with kwargs in ``<weights>.json``."""
    return _load("UNet", "monai-unet", weights, sha256=sha256, device=device)


def load_swinunetr(weights: Path, *, sha256: str | None = None, device: str = "cpu") -> MonaiNetwork:
    """``monai.networks.nets.SwinUNETR(**kwargs)``; every side of the input is a multiple of 32."""
    return _load("SwinUNETR", "monai-swinunetr", weights, sha256=sha256, device=device)


def _load(name: str, key: str, weights: Path, *, sha256: str | None, device: str) -> MonaiNetwork:
    description = read_description(weights)
    if (
        name == "SwinUNETR"
        and description.multiple_of % 32
        and (not description.size or any(s % 32 for s in description.size))
    ):
        raise InvalidInput(
            "bad_description", f"multiple_of {description.multiple_of}: SwinUNETR needs a multiple of 32"
        )
    tensors = without_prefix(read_state_dict(weights, sha256=sha256))
    network = built(name, description.kwargs)
    load_strictly(network, tensors, what=f"this MONAI {name}")
    return MonaiNetwork(network, description, key=key, weights_sha256=file_sha256(weights), device=device)


def built(name: str, kwargs: Mapping[str, Any]) -> nn.Module:
    """``monai.networks.nets.<name>(**kwargs)`` without in-place activations, which attribution cannot look behind.

    Raises
    ------
    InvalidInput
        ``bad_description``: MONAI has no such network, or it does not take these arguments.
    """
    from monai.networks import nets

    maker = getattr(nets, name, None)
    if not (isinstance(maker, type) and issubclass(maker, nn.Module)):
        raise InvalidInput("bad_description", f"monai.networks.nets has no network {name!r}")
    try:
        network: nn.Module = maker(**kwargs)
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise InvalidInput("bad_description", f"{name} does not take these arguments: {str(error)[:200]}") from error
    for module in network.modules():
        if getattr(module, "inplace", False):
            module.inplace = False  # type: ignore[assignment]
    return network
