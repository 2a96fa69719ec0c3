"""Localization by relative distance, written from the papers.

A network gives every patch of a body a position in an abstract, common frame; the difference of two positions, squashed
by tanh and scaled, is the way between the patches in mm. A few annotated volumes say where the extreme points of a
structure lie in that frame, so the same points are found in a new volume (Lei et al. 2021, arXiv:2012.07043; Lei et al.
2023, MedLSAM, arXiv:2306.14752). A last step looks in the neighbourhood for the voxel whose features resemble the
annotated point's most.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from assurance.evidence.errors import InvalidInput

REACH_MM = (1500.0, 600.0, 600.0)
"""Largest way that one step can tell along z, y and x."""
STARTS = 10
Position = Callable[[torch.Tensor], torch.Tensor]


class ConvPair(nn.Sequential):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(
            nn.Conv3d(inputs, outputs, 3, padding=1), nn.InstanceNorm3d(outputs, affine=True), nn.LeakyReLU(0.01),
            nn.Conv3d(outputs, outputs, 3, padding=1), nn.InstanceNorm3d(outputs, affine=True), nn.LeakyReLU(0.01),
        )  # fmt: skip


class RelativePositionNet(nn.Module):
    """Encoder and decoder over patches (B, 1, p, p, p): a position (B, 3), and features at p/4, p/2 and p."""

    def __init__(self, *, width: int = 24, patch: int = 64) -> None:
        super().__init__()
        self.patch = patch
        widths = (width, 2 * width, 4 * width, 8 * width)
        self.down = nn.ModuleList(ConvPair(a, b) for a, b in zip((1, *widths[:3]), widths, strict=True))
        self.up = nn.ModuleList(
            ConvPair(a + b, b) for a, b in zip((widths[3], widths[2], widths[1]), reversed(widths[:3]), strict=True)
        )
        self.position = nn.Sequential(nn.Linear(widths[3] * 8, 8 * width), nn.LeakyReLU(0.01), nn.Linear(8 * width, 3))

    def _encode(self, patches: torch.Tensor) -> list[torch.Tensor]:
        kept, x = [], patches
        for place, block in enumerate(self.down):
            x = block(x if place == 0 else F.max_pool3d(x, 2))
            kept.append(x)
        return kept

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        deepest = self._encode(patches)[-1]
        return self.position(F.adaptive_avg_pool3d(deepest, 2).flatten(1))  # type: ignore[no-any-return]

    def features(self, patches: torch.Tensor) -> list[torch.Tensor]:
        *skips, x = self._encode(patches)
        out = []
        for block, skip in zip(self.up, reversed(skips), strict=True):
            x = block(torch.cat([F.interpolate(x, scale_factor=2, mode="trilinear", align_corners=False), skip], dim=1))
            out.append(x)
        return out


@dataclass(frozen=True)
class Landmark:
    """One extreme point of a structure: its position in the common frame, and its features at three scales."""

    structure: str
    axis: int
    high: bool
    position: torch.Tensor
    features: tuple[torch.Tensor, ...] = ()


def extreme_points(mask: NDArray[np.bool_]) -> list[tuple[int, bool, NDArray[np.float64]]]:
    """For each axis the lowest and the highest marked point (the mean of those that tie), in voxels."""
    points = np.argwhere(mask)
    if not len(points):
        raise InvalidInput("empty_mask", "a support label marks no voxel of its structure: give one that does")
    found = []
    for axis in range(3):
        for high in (False, True):
            edge = points[:, axis].max() if high else points[:, axis].min()
            found.append((axis, high, points[points[:, axis] == edge].mean(axis=0)))
    return found


def patches_at(volume: torch.Tensor, centres: torch.Tensor, size: int) -> torch.Tensor:
    """Patches (N, 1, size, size, size) of ``volume`` (1, 1, d, h, w) around whole voxels, its border held outside."""
    half = size // 2
    padded = F.pad(volume, (half,) * 6, mode="replicate")
    limits = torch.tensor(volume.shape[2:]) - 1
    corners = torch.minimum(centres.detach().cpu().round().long().clamp(min=0), limits)
    return torch.cat([padded[:, :, z : z + size, y : y + size, x : x + size] for z, y, x in corners.tolist()])


def step(position: Position, volume: torch.Tensor, centres: torch.Tensor, wanted: torch.Tensor, *, spacing_mm: float,
         size: int) -> torch.Tensor:  # fmt: skip
    """From ``centres`` (N, 3) one step towards the positions ``wanted`` (N, 3), both in voxels of the volume."""
    here = position(patches_at(volume, centres, size))
    reach = torch.tensor(REACH_MM, device=here.device) / spacing_mm
    return centres.to(here).round() + reach * torch.tanh(wanted.to(here) - here)


def localise(
    position: Position, volume: torch.Tensor, landmarks: list[Landmark], *, spacing_mm: float, size: int,
    starts: int = STARTS, seed: int = 0, features: Callable[[torch.Tensor], list[torch.Tensor]] | None = None,
) -> torch.Tensor:  # fmt: skip
    """Coordinates (landmarks, 3) in voxels: from random starts to a mean, one step from there, then by similarity."""
    shape = torch.tensor(volume.shape[2:], dtype=torch.float32)
    generator = torch.Generator().manual_seed(seed)
    begin = torch.rand((starts, 3), generator=generator) * (shape - 1)
    here = position(patches_at(volume, begin, size)).cpu()
    reach = torch.tensor(REACH_MM, device=here.device) / spacing_mm
    wanted = torch.stack([landmark.position for landmark in landmarks]).to(here)
    ways = begin.to(here).round()[:, None] + reach * torch.tanh(wanted[None] - here[:, None])
    coarse = ways.mean(dim=0).clamp(min=torch.zeros(3), max=shape - 1)
    fine = (
        step(position, volume, coarse, wanted, spacing_mm=spacing_mm, size=size).cpu().clamp(torch.zeros(3), shape - 1)
    )
    if features is None or not all(landmark.features for landmark in landmarks):
        return fine
    found = [
        most_similar(features(patches_at(volume, point[None], size)), landmark, point, size)
        for point, landmark in zip(fine, landmarks, strict=True)
    ]
    return torch.stack(found).clamp(torch.zeros(3), shape - 1)


def most_similar(maps: list[torch.Tensor], landmark: Landmark, centre: torch.Tensor, size: int) -> torch.Tensor:
    """The voxel in the patch around ``centre`` with the largest sum of cosine similarities over the scales."""
    total = torch.zeros((1, 1, size, size, size), device=maps[0].device)
    for grid, target in zip(maps, landmark.features, strict=True):
        likeness = F.cosine_similarity(grid, target.to(grid).view(1, -1, 1, 1, 1), dim=1)[:, None]
        total = total + F.interpolate(likeness, size=(size,) * 3, mode="trilinear", align_corners=False)
    best = np.unravel_index(int(total.flatten().argmax()), (size,) * 3)
    return centre.round() + torch.tensor(best, dtype=torch.float32) - size // 2
