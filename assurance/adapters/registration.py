"""What registration models share: a pair becomes one input, displacements become millimetres, volumes are warped."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from assurance.adapters.images import Pair, Volume, checked_pair, turn
from assurance.adapters.protocol import Array, LoadedModel, Prediction, Prompt, within_memory
from assurance.evidence.errors import InvalidInput


class RegistrationModel(LoadedModel):
    """``forward`` maps (B, 2, d, h, w), moving and fixed, to displacements (B, 3, d, h, w) in voxels of that grid.

    A displacement at a fixed voxel points to its match in the moving volume. ``axes`` are those of the network's grid.
    """

    task = "registration"
    input_kind = "pair"
    axes = "RAS"

    @abstractmethod
    def scaled(self, volume: Volume, *, name: str) -> Array:
        """The volume's values on the network's scale."""

    @abstractmethod
    def network_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The grid that a volume of ``shape`` is resampled to."""

    def prepare(self, image: Any) -> torch.Tensor:
        pair = checked_pair(image)
        if pair.moving.array.shape != pair.fixed.array.shape or not np.allclose(
            pair.moving.spacing_mm, pair.fixed.spacing_mm, rtol=1e-3  # type: ignore[arg-type]
        ):  # fmt: skip
            raise InvalidInput(
                "other_grid",
                f"moving has shape {pair.moving.array.shape} and spacing {pair.moving.spacing_mm} mm, fixed "
                f"{pair.fixed.array.shape} and {pair.fixed.spacing_mm} mm: resample moving onto fixed",
            )
        tensors = []
        for name in ("moving", "fixed"):
            volume: Volume = getattr(pair, name).turned(self.axes)
            tensor = torch.from_numpy(np.ascontiguousarray(self.scaled(volume, name=name)))[None, None]
            shape = self.network_shape(tuple(volume.array.shape))
            if tuple(tensor.shape[2:]) != shape:
                tensor = F.interpolate(tensor, size=shape, mode="trilinear", align_corners=False)
            tensors.append(tensor)
        return torch.cat(tensors, dim=1).to(self.device)

    @within_memory
    @torch.inference_mode()
    def predict(self, image: Any, prompt: Prompt | None = None) -> Prediction:
        pair = checked_pair(image)
        voxels = self.on_fixed(self.forward(self.prepare(pair)), pair.fixed)
        warped = warp(np.asarray(pair.moving.array, dtype=np.float32), voxels.numpy())
        spacing = torch.tensor(pair.fixed.spacing_mm).view(3, 1, 1, 1)
        return Prediction(displacement_mm=(voxels * spacing).numpy(), warped=warped)

    def on_fixed(self, displacement: torch.Tensor, fixed: Volume) -> torch.Tensor:
        """Network displacements (1, 3, d, h, w) as voxels of the fixed volume (3, a, b, c), along its own axes."""
        turned = fixed.turned(self.axes)
        shape = tuple(turned.array.shape)
        grid = tuple(displacement.shape[2:])
        if grid != shape:
            displacement = F.interpolate(displacement, size=shape, mode="trilinear", align_corners=False)
            ratio = torch.tensor([length / cells for length, cells in zip(shape, grid, strict=True)])
            displacement = displacement * ratio.to(displacement).view(1, 3, 1, 1, 1)
        order, flips = turn(self.axes, fixed.axes)
        field = displacement[0].permute(0, *(axis + 1 for axis in order))[list(order)]
        field = field.flip([axis + 1 for axis, flip in enumerate(flips) if flip])
        signs = torch.tensor([-1.0 if flip else 1.0 for flip in flips]).view(3, 1, 1, 1)
        return (field.float().cpu() * signs).contiguous()

    def to_volume(self, grid: torch.Tensor, volume: Volume) -> torch.Tensor:
        shape = tuple(volume.turned(self.axes).array.shape)
        if tuple(grid.shape) != shape:
            grid = F.interpolate(grid[None, None], size=shape, mode="trilinear", align_corners=False)[0, 0]
        order, flips = turn(self.axes, volume.axes)
        return grid.permute(order).flip([axis for axis, flip in enumerate(flips) if flip])


def warp(moving: NDArray[Any], displacement_voxels: NDArray[Any], *, labels: bool = False) -> NDArray[Any]:
    """The moving volume (a, b, c) on the fixed grid, linearly, or by the nearest voxel for ``labels``.

    ``displacement_voxels`` (3, a, b, c) is in voxels of the volume; samples outside it take its border.
    """
    from scipy.ndimage import map_coordinates

    where = np.indices(displacement_voxels.shape[1:], dtype=np.float32) + displacement_voxels
    warped: NDArray[Any] = map_coordinates(moving, where, order=0 if labels else 1, mode="nearest")
    return warped


def pair_of_labels(labels: NDArray[Any], pair: Pair, prediction: Prediction) -> NDArray[Any]:
    """Labels of the moving volume carried onto the fixed grid by a prediction. Both must share their axes."""
    if prediction.displacement_mm is None or pair.fixed.spacing_mm is None:
        raise InvalidInput("no_displacement", "this prediction holds no displacement")
    voxels = prediction.displacement_mm / np.asarray(pair.fixed.spacing_mm, dtype=np.float32).reshape(3, 1, 1, 1)
    return warp(labels, voxels, labels=True)
