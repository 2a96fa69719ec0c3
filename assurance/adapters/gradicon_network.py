"""uniGradICON's network, written for this project (Tian et al. 2024, arXiv:2403.05780; Greer et al. 2021).

Four U-Nets, each giving a displacement: at a quarter, at half and at full resolution, and once more at full. Each next
one sees the moving image as the ones before have warped it. Coordinates run from 0 to 1 along each axis. Names of
modules follow the checkpoint, so that its tensors load without renaming.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F

Transform = Callable[[torch.Tensor], torch.Tensor]


def identity(shape: tuple[int, ...], like: torch.Tensor) -> torch.Tensor:
    """Coordinates (1, 3, d, h, w) of a grid's own voxels."""
    steps = [torch.linspace(0, 1, length, dtype=like.dtype, device=like.device) for length in shape]
    return torch.stack(torch.meshgrid(*steps, indexing="ij"))[None]


def sample(image: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
    """Values of ``image`` (B, C, d, h, w) at coordinates ``where`` (B, 3, ...), linearly, the border held outside."""
    grid = (2 * where - 1).flip(1).permute(0, 2, 3, 4, 1).expand(len(image), -1, -1, -1, -1)
    return F.grid_sample(image, grid, mode="bilinear", padding_mode="border", align_corners=True)


def with_channels(x: torch.Tensor, count: int) -> torch.Tensor:
    """The first ``count`` channels, or zeros before them where there are fewer."""
    return x[:, :count] if x.shape[1] >= count else F.pad(x, (0, 0, 0, 0, 0, 0, count - x.shape[1], 0))


class ShortcutUNet(nn.Module):
    """Every step of resolution has a way around its convolution: pooled down, interpolated up."""

    def __init__(self, down: tuple[int, ...], up: tuple[int, ...]) -> None:
        super().__init__()
        steps = len(up)
        below = [down[step + 1] + (up[step + 1] if step + 1 < steps else 0) for step in range(steps)]
        self.downConvs = nn.ModuleList(nn.Conv3d(a, b, 3, 2, 1) for a, b in pairwise(down))
        self.upConvs = nn.ModuleList(nn.ConvTranspose3d(a, b, 4, 2, 1) for a, b in zip(below, up, strict=True))
        self.batchNorms = nn.ModuleList(nn.BatchNorm3d(width) for width in up)
        self.lastConv = nn.Conv3d(down[0] + up[0], 3, 3, padding=1)

    def forward(self, moving: torch.Tensor, fixed: torch.Tensor) -> torch.Tensor:
        x = torch.cat([moving, fixed], dim=1)
        skips = []
        for convolution in self.downConvs:
            skips.append(x)
            y = convolution(F.leaky_relu(x))
            x = y + with_channels(F.avg_pool3d(x, 2, ceil_mode=True), y.shape[1])
        for convolution, norm, skip in zip(
            reversed(self.upConvs), reversed(self.batchNorms), reversed(skips), strict=True
        ):
            y = convolution(F.leaky_relu(x))
            around = F.interpolate(with_channels(x, y.shape[1]), scale_factor=2, mode="trilinear", align_corners=False)
            d, h, w = skip.shape[2:]
            x = torch.cat([norm(y + around)[:, :, :d, :h, :w], skip], dim=1)
        return self.lastConv(x) / 10  # type: ignore[no-any-return]


class DisplacementStage(nn.Module):
    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, moving: torch.Tensor, fixed: torch.Tensor) -> Transform:
        field = self.net(moving, fixed)
        return lambda where: where + sample(field, where)


class HalfResolution(nn.Module):
    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, moving: torch.Tensor, fixed: torch.Tensor) -> Transform:
        return self.net(  # type: ignore[no-any-return]
            F.avg_pool3d(moving, 2, ceil_mode=True), F.avg_pool3d(fixed, 2, ceil_mode=True)
        )


class OneAfterAnother(nn.Module):
    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.netPhi, self.netPsi = first, second

    def forward(self, moving: torch.Tensor, fixed: torch.Tensor) -> Transform:
        first = self.netPhi(moving, fixed)
        where = identity(tuple(moving.shape[2:]), moving)
        second = self.netPsi(sample(moving, first(where)), fixed)
        return lambda where: first(second(where))


class GradIconNetwork(nn.Module):
    """Displacements (B, 3, d, h, w) in voxels for (B, 2, d, h, w), moving and fixed; every side 65 or more."""

    def __init__(self, down: tuple[int, ...], up: tuple[int, ...]) -> None:
        super().__init__()

        def stage() -> DisplacementStage:
            return DisplacementStage(ShortcutUNet(down, up))

        net: nn.Module = stage()
        for _ in range(2):
            net = OneAfterAnother(HalfResolution(net), stage())
        self.regis_net = OneAfterAnother(net, stage())

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        where = identity(tuple(inputs.shape[2:]), inputs)
        lengths = torch.tensor(inputs.shape[2:], dtype=inputs.dtype, device=inputs.device).view(1, 3, 1, 1, 1)
        return (self.regis_net(inputs[:, :1], inputs[:, 1:])(where) - where) * (lengths - 1)  # type: ignore[no-any-return]
