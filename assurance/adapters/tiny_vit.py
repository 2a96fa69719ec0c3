"""TinyViT image encoder (Wu et al. 2022, arXiv:2207.10666) in LiteMedSAM's configuration, written for this project.

Names of modules follow the checkpoint, so that its tensors load without renaming. Input (B, 3, S, S); output
(B, 256, S/4, S/4): the stem keeps the resolution, two of the three merging steps halve it.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F


class ConvNorm(nn.Module):
    def __init__(self, inputs: int, outputs: int, size: int = 1, *, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.c = nn.Conv2d(inputs, outputs, size, stride, size // 2, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.bn(self.c(x))


class Stem(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.seq = nn.Sequential(ConvNorm(3, width // 2), nn.GELU(), ConvNorm(width // 2, width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.seq(x)


class InvertedBottleneck(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = ConvNorm(width, 4 * width)
        self.conv2 = ConvNorm(4 * width, 4 * width, 3, groups=4 * width)
        self.conv3 = ConvNorm(4 * width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inner = F.gelu(self.conv2(F.gelu(self.conv1(x))))
        return F.gelu(x + self.conv3(inner))


class Merging(nn.Module):
    def __init__(self, inputs: int, outputs: int, *, stride: int) -> None:
        super().__init__()
        self.conv1 = ConvNorm(inputs, outputs)
        self.conv2 = ConvNorm(outputs, outputs, 3, stride=stride, groups=outputs)
        self.conv3 = ConvNorm(outputs, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv3(F.gelu(self.conv2(F.gelu(self.conv1(x)))))


class WindowAttention(nn.Module):
    """Attention among the tokens of one window, with a learnt bias by relative distance."""

    distance: torch.Tensor

    def __init__(self, width: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.attention_biases = nn.Parameter(torch.zeros(heads, window * window))
        rows, columns = torch.meshgrid(torch.arange(window), torch.arange(window), indexing="ij")
        down = (rows.flatten()[:, None] - rows.flatten()[None]).abs()
        across = (columns.flatten()[:, None] - columns.flatten()[None]).abs()
        self.register_buffer("distance", down * window + across, persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, tokens, width = x.shape
        # For each head its q, k and v lie side by side, as in the checkpoint.
        parts = self.qkv(self.norm(x)).view(batch, tokens, self.heads, -1).transpose(1, 2)
        q, k, v = parts.chunk(3, dim=-1)
        attention = q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5 + self.attention_biases[:, self.distance]
        mixed = attention.softmax(dim=-1) @ v
        return self.proj(mixed.transpose(1, 2).reshape(batch, tokens, width))


class Mlp(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc2(F.gelu(self.fc1(self.norm(x))))


class Block(nn.Module):
    """Attention in windows, a depth-wise convolution, and an MLP; x is (B, C, H, W)."""

    def __init__(self, width: int, heads: int, window: int) -> None:
        super().__init__()
        self.window = window
        self.attn = WindowAttention(width, heads, window)
        self.mlp = Mlp(width)
        self.local_conv = ConvNorm(width, width, 3, groups=width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.local_conv(x + self._attend(x))
        return x + self.mlp(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)

    def _attend(self, x: torch.Tensor) -> torch.Tensor:
        batch, width, height, length = x.shape
        side = self.window
        padded = F.pad(x, (0, -length % side, 0, -height % side))
        down, across = padded.shape[2] // side, padded.shape[3] // side
        windows = padded.view(batch, width, down, side, across, side).permute(0, 2, 4, 3, 5, 1)
        mixed = self.attn(windows.reshape(-1, side * side, width))
        mixed = mixed.view(batch, down, across, side, side, width).permute(0, 5, 1, 3, 2, 4)
        return mixed.reshape(batch, width, down * side, across * side)[:, :, :height, :length]


class Stage(nn.Module):
    def __init__(self, blocks: list[nn.Module], downsample: nn.Module | None) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.downsample = downsample

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for block in self.blocks:
            x = block(x)
        return x if self.downsample is None else self.downsample(x)


class PlaneNorm(nn.Module):
    """Layer normalisation over the channels of (B, C, H, W)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.layer_norm(x.permute(0, 2, 3, 1), self.weight.shape, self.weight, self.bias, 1e-6).permute(0, 3, 1, 2)


class TinyViT(nn.Module):
    def __init__(
        self, *, widths: tuple[int, ...] = (64, 128, 160, 320), depths: tuple[int, ...] = (2, 2, 6, 2),
        windows: tuple[int, ...] = (7, 7, 14, 7), head_width: int = 32, outputs: int = 256,
    ) -> None:  # fmt: skip
        super().__init__()
        self.patch_embed = Stem(widths[0])
        stages = []
        for place, width in enumerate(widths):
            blocks: list[nn.Module] = [
                InvertedBottleneck(width) if place == 0 else Block(width, width // head_width, windows[place])
                for _ in range(depths[place])
            ]
            last = place == len(widths) - 1
            # The step into the last stage keeps the grid, as segmentation needs it fine.
            merging = None if last else Merging(width, widths[place + 1], stride=1 if place == len(widths) - 2 else 2)
            stages.append(Stage(blocks, merging))
        self.layers = nn.ModuleList(stages)
        self.neck = nn.Sequential(
            nn.Conv2d(widths[-1], outputs, 1, bias=False), PlaneNorm(outputs),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False), PlaneNorm(outputs),
        )  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.patch_embed(x)
        for stage in self.layers:
            x = stage(x)
        return self.neck(x)
