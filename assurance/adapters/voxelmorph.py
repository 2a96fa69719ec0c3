"""VoxelMorph-2 of CVPR 2018: deformable registration of T1 brains (Balakrishnan et al. 2018)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from assurance.adapters.images import Array, Volume
from assurance.adapters.protocol import Contract, Prompt
from assurance.adapters.registration import RegistrationModel
from assurance.adapters.weights_files import file_sha256, in_single_precision, load_strictly, read_state_dict
from assurance.evidence.errors import InvalidInput

MULTIPLE = 16
SLOPE = 0.2
BRIGHTEST = 255.0
CONVOLUTIONS = 11


class VoxelMorphNetwork(nn.Module):
    """A U-Net: four strided convolutions, then upsampling with skips; ``flow`` gives voxel displacements.

    Strided convolutions pad one voxel behind only, as TensorFlow's 'same' does for an even length.
    """

    def __init__(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        super().__init__()
        layers = []
        for place in range(CONVOLUTIONS):
            outputs, inputs = shapes[f"c.{place}.weight"][:2]
            layers.append(nn.Conv3d(inputs, outputs, 3, stride=2 if place < 4 else 1, padding=0 if place < 4 else 1))
        self.c = nn.ModuleList(layers)
        outputs, inputs = shapes["flow.weight"][:2]
        self.flow = nn.Conv3d(inputs, outputs, 3, padding=1)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        skips, x = [inputs], inputs
        for place in range(4):
            x = self._active(place, F.pad(x, (0, 1, 0, 1, 0, 1)))
            skips.append(x)
        x = self._active(4, x)
        x = self._active(5, self._joined(x, skips[3]))
        x = self._active(6, self._joined(x, skips[2]))
        x = self._active(8, self._active(7, self._joined(x, skips[1])))
        x = self._active(10, self._active(9, self._joined(x, skips[0])))
        return self.flow(x)  # type: ignore[no-any-return]

    def _active(self, place: int, x: torch.Tensor) -> torch.Tensor:
        return F.leaky_relu(self.c[place](x), SLOPE)

    @staticmethod
    def _joined(x: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
        return torch.cat([F.interpolate(x, scale_factor=2, mode="nearest"), skip], dim=1)


class VoxelMorph(RegistrationModel):
    key = "voxelmorph"
    modalities = ("MR",)
    licence = "GPL-3.0 on the branch that publishes the weights (the project itself: Apache-2.0); never shipped"
    source = "voxelmorph/voxelmorph, branch legacy, cvpr2018_vm2_cc.h5 as safetensors"
    checkpoint_layout = "c.0 … c.10 and flow, weight and bias each, in PyTorch's order of axes"
    axes = "LIA"

    @property
    def contract(self) -> Contract:
        return Contract(
            inputs="two skull-stripped, affinely aligned T1 volumes at 1 mm, turned to LIA, sides multiples of 16; "
            "values 0..255, divided by 255 (or 0..1 already)",
            outputs="for each fixed voxel the displacement to its match in the moving volume, mm; the warped volume",
            input_shape=(2, 160, 192, 224),
            spacing_mm=(1.0, 1.0, 1.0),
            output_unit="voxel",
        )

    def scaled(self, volume: Volume, *, name: str) -> Array:
        if not np.allclose(volume.spacing_mm, 1.0, atol=0.05):  # type: ignore[arg-type]
            raise InvalidInput("other_spacing", f"{name} has spacing {volume.spacing_mm} mm: resample it to 1 mm")
        if any(length % MULTIPLE for length in volume.array.shape):
            raise InvalidInput(
                "bad_shape", f"{name} has shape {volume.array.shape}: crop or pad to multiples of {MULTIPLE}"
            )
        low, high = float(volume.array.min()), float(volume.array.max())
        if low < 0 or high > BRIGHTEST:
            raise InvalidInput("out_of_range", f"{name} has values in {low:g}..{high:g}: give 0..255, or 0..1")
        # The network saw 8-bit values divided by 255, whatever the brightest voxel of a volume was.
        unit: Array = np.asarray(volume.array / (1 if high <= 1 else BRIGHTEST), dtype=np.float32)
        return unit

    def network_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return shape

    def forward(self, inputs: torch.Tensor, prompt: Prompt | None = None) -> torch.Tensor:
        return self.network(inputs)  # type: ignore[no-any-return]

    def feature_layer(self) -> nn.Module:
        """The bottleneck, an eighth of the input's grid."""
        return self.network.c[4]  # type: ignore[union-attr,index,return-value]

    def layers(self) -> Mapping[str, nn.Module]:
        return {f"c.{place}": layer for place, layer in enumerate(self.network.c)}  # type: ignore[union-attr,arg-type]


def load(weights: Path, *, sha256: str | None = None, device: str = "cpu") -> VoxelMorph:
    tensors = in_single_precision(read_state_dict(weights, sha256=sha256))
    wanted = {f"{name}.weight" for name in (*(f"c.{place}" for place in range(CONVOLUTIONS)), "flow")}
    if missing := sorted(wanted - set(tensors)):
        raise InvalidInput("other_model", f"{weights} is not a VoxelMorph-2 checkpoint: it has no {missing[0]}")
    network = VoxelMorphNetwork({name: tuple(tensor.shape) for name, tensor in tensors.items()})
    load_strictly(network, tensors, what="VoxelMorph-2")
    return VoxelMorph(network, weights_sha256=file_sha256(weights), device=device)
