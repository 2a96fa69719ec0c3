"""uniGradICON: a foundation model for registration of CT and MR volumes (Tian et al. 2024)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import nn

from assurance.adapters.gradicon_network import GradIconNetwork
from assurance.adapters.images import Array, Volume
from assurance.adapters.protocol import Contract, Prompt
from assurance.adapters.registration import RegistrationModel
from assurance.adapters.weights_files import file_sha256, in_single_precision, load_strictly, read_state_dict
from assurance.evidence.errors import InvalidInput

SIDE = 175
LEAST_SIDE = 65
CT_WINDOW = (-1000.0, 1000.0)
HIGHEST_SHARE = 0.99
LAST_STAGE = "netPsi.net."


class UniGradIcon(RegistrationModel):
    key = "unigradicon"
    modalities = ("CT", "MR")
    licence = "Apache-2.0 (LICENSE file; the package index says MIT)"
    source = "uncbiag/uniGradICON, release unigradicon_weights"
    checkpoint_layout = "Step_2_final.trch: state dict of the registration network (netPhi.…, netPsi.net.…)"
    axes = "SPL"

    def __init__(self, network: nn.Module, *, side: int, weights_sha256: str, device: str = "cpu") -> None:
        super().__init__(network, weights_sha256=weights_sha256, device=device)
        self.side = side

    @property
    def contract(self) -> Contract:
        return Contract(
            inputs=f"two CT or MR volumes on one grid, resampled to {self.side}³; CT (unit HU) clipped to -1000..1000, "
            "others to minimum..99 % quantile, each to 0..1",
            outputs="for each fixed voxel the displacement to its match in the moving volume, mm; the warped volume",
            input_shape=(2, self.side, self.side, self.side),
            output_unit="voxel",
        )

    def scaled(self, volume: Volume, *, name: str) -> Array:
        if volume.unit.upper() == "HU":
            low, high = CT_WINDOW
        else:
            low = float(volume.array.min())
            flat = np.asarray(volume.array).ravel()
            place = max(int(HIGHEST_SHARE * flat.size), 1) - 1
            high = float(np.partition(flat, place)[place])
        if high <= low:
            raise InvalidInput(
                "flat_image", f"{HIGHEST_SHARE:.0%} of the voxels of {name} are {low:g}: nothing to register"
            )
        unit: Array = ((np.clip(volume.array, low, high) - low) / (high - low)).astype(np.float32)
        return unit

    def network_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (self.side,) * 3

    def forward(self, inputs: torch.Tensor, prompt: Prompt | None = None) -> torch.Tensor:
        return self.network(inputs)  # type: ignore[no-any-return]

    def feature_layer(self) -> nn.Module:
        """The bottleneck of the last stage."""
        return self.network.regis_net.netPsi.net.downConvs[-1]  # type: ignore[union-attr,index,return-value]

    def layers(self) -> Mapping[str, nn.Module]:
        convolutions = self.network.regis_net.netPsi.net.downConvs  # type: ignore[union-attr]
        return {f"regis_net.netPsi.net.downConvs.{place}": layer for place, layer in enumerate(convolutions)}  # type: ignore[arg-type,union-attr]


def load(weights: Path, *, sha256: str | None = None, device: str = "cpu", side: int = SIDE) -> UniGradIcon:
    """Read ``Step_2_final.trch`` or the same tensors as safetensors; the package is not needed.

    ``side`` is the network's grid; the published weights were trained for 175.

    Raises
    ------
    InvalidInput
        ``no_weights``, ``unsafe_weights``, ``other_model``, ``broken_weights``, ``bad_side``.
    """
    if side < LEAST_SIDE:
        raise InvalidInput(
            "bad_side", f"side {side}: the network halves its grid seven times, give {LEAST_SIDE} or more"
        )
    tensors = in_single_precision(read_state_dict(weights, sha256=sha256))
    tensors = {name.removeprefix("regis_net."): tensor for name, tensor in tensors.items()}
    # Older releases of the package saved their grids of coordinates too.
    tensors = {name: tensor for name, tensor in tensors.items() if not name.endswith("identity_map")}
    try:
        steps = len(
            {name for name in tensors if name.startswith(f"{LAST_STAGE}downConvs.") and name.endswith(".weight")}
        )
        down = [tuple(tensors[f"{LAST_STAGE}downConvs.{step}.weight"].shape) for step in range(steps)]
        up = tuple(int(tensors[f"{LAST_STAGE}upConvs.{step}.weight"].shape[1]) for step in range(steps))
        widths = (int(down[0][1]), *(int(shape[0]) for shape in down))
    except (KeyError, IndexError) as error:
        raise InvalidInput(
            "other_model", f"{weights} is not a uniGradICON checkpoint: {LAST_STAGE}downConvs.* is missing"
        ) from error
    network = GradIconNetwork(widths, up)
    load_strictly(network.regis_net, tensors, what="uniGradICON")
    return UniGradIcon(network, side=side, weights_sha256=file_sha256(weights), device=device)
