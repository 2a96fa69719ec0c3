"""Models of a few lines whose attributions are known on paper, behind the adapters' protocol."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from assurance.adapters.protocol import Contract, LoadedModel, Prediction


class Toy(LoadedModel):
    """``network`` maps (B, 1, ...) to class logits, or to mask logits for ``task="segmentation"``; images go in as they
    are."""

    key = "toy"
    modalities = ("CR",)
    licence = "Apache-2.0"
    source = "tests"

    def __init__(self, network, *, task="classification", classes=("a", "b"), layer=None, prompts=()):
        super().__init__(network if isinstance(network, nn.Module) else Function(network), weights_sha256="0" * 64)
        self.task, self.classes, self.layer, self.prompt_types = task, classes, layer, prompts

    @property
    def contract(self):
        return Contract(inputs="grey image", outputs="logits", input_shape=(1, 0, 0), classes=self.classes)

    def prepare(self, image):
        array = image.array if hasattr(image, "array") else image
        return torch.as_tensor(np.asarray(array, dtype=np.float32))[None, None]

    def forward(self, inputs, prompt=None):
        return self.network(inputs, prompt) if self.prompt_types else self.network(inputs)

    def predict(self, image, prompt=None):
        return Prediction()

    def feature_layer(self):
        return self.network[0] if self.layer is None else dict(self.network.named_modules())[self.layer]


class Function(nn.Module):
    """A function as a network without weights."""

    def __init__(self, function: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs):
        return self.function(*inputs)


def linear(weights, *, classes=("a",)) -> Toy:
    """f(x) = Σ w·x over the image, one class for each leading entry of ``weights``."""
    table = torch.as_tensor(np.asarray(weights, dtype=np.float32))
    table = table[None] if table.ndim == 2 else table
    return Toy(lambda x: torch.einsum("bchw,khw->bk", x, table), classes=classes)


def small_cnn(*, seed: int = 0, channels: int = 8) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, channels, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(channels, channels, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten(),
        nn.Linear(16 * channels, 2),
    )  # fmt: skip


def trained(
    network: nn.Module, images: np.ndarray, labels: np.ndarray, *, rounds: int = 60, seed: int = 0
) -> nn.Module:
    """Seconds of training, the same weights every time."""
    torch.manual_seed(seed)
    inputs, wanted = torch.as_tensor(images, dtype=torch.float32)[:, None], torch.as_tensor(labels)
    network.train().requires_grad_(True)
    steps = torch.optim.Adam(network.parameters(), lr=3e-3)
    for _ in range(rounds):
        steps.zero_grad()
        nn.functional.cross_entropy(network(inputs), wanted).backward()
        steps.step()
    return network.eval()


def squares(n: int, *, seed: int = 0, side: int = 32, marker: bool = False):
    """Noise images, half of them with a bright square of 8 pixels at a random place; its masks. With ``marker`` the
    positive ones have no square, but a small bright corner: a shortcut."""
    rng = np.random.default_rng(seed)
    images = rng.normal(0.3, 0.1, (n, side, side)).astype(np.float32)
    masks = np.zeros((n, side, side), dtype=bool)
    labels = np.arange(n) % 2
    for index in range(n):
        top, left = rng.integers(8, side - 10, 2)
        masks[index, top : top + 8, left : left + 8] = True
        if labels[index] and not marker:
            images[index][masks[index]] += 0.5
        if labels[index] and marker:
            images[index, :4, :4] += 1.0
    return images, labels, masks
