"""TorchScript and torch.export programs, which are code as well as weights and so run in the sandbox only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from assurance.adapters.described_model import DescribedModel
from assurance.adapters.description import Description, read_description
from assurance.adapters.protocol import Prompt, checked_path
from assurance.adapters.sandbox import Sandbox
from assurance.adapters.weights_files import checked_sha256

TIMEOUT_S = 300.0


class _InSandbox(torch.autograd.Function):
    """The child's forward, and its vector-Jacobian product as the backward."""

    @staticmethod
    def forward(ctx: Any, inputs: torch.Tensor, child: Sandbox) -> torch.Tensor:
        ctx.child = child
        ctx.save_for_backward(inputs)
        _, arrays = child.call("forward", {}, {"input": inputs.detach().cpu().numpy()})
        return torch.from_numpy(arrays["output"].copy())

    @staticmethod
    def backward(ctx: Any, direction: torch.Tensor) -> tuple[torch.Tensor, None]:  # type: ignore[override]
        (inputs,) = ctx.saved_tensors
        arrays = {"input": inputs.detach().cpu().numpy(), "direction": direction.detach().cpu().numpy()}
        _, answer = ctx.child.call("vjp", {}, arrays)
        return torch.from_numpy(answer["gradient"].copy()), None


class Program(DescribedModel):
    """Differentiable with respect to its input although its network lives in another process; no inner layers."""

    modalities = ("OT",)

    def __init__(self, child: Sandbox, description: Description, *, key: str, layout: str, weights_sha256: str) -> None:
        super().__init__(torch.nn.Module(), description, weights_sha256=weights_sha256)
        self.child = child
        self.key = key  # type: ignore[misc]
        self.checkpoint_layout = layout  # type: ignore[misc]

    def forward(self, inputs: torch.Tensor, prompt: Prompt | None = None) -> torch.Tensor:
        return _InSandbox.apply(inputs, self.child)  # type: ignore[no-any-return,no-untyped-call]


def load_torchscript(weights: Path, *, sha256: str | None = None, device: str = "cpu") -> Program:
    """A TorchScript file (.pt) with its description in ``<name>.json``; runs on the CPU of the sandbox."""
    return _load(weights, kind="torchscript", layout="torch.jit.save archive, with <name>.json", sha256=sha256)


def load_torch_export(weights: Path, *, sha256: str | None = None, device: str = "cpu") -> Program:
    """A torch.export archive (.pt2) with its description in ``<name>.json``; runs on the CPU of the sandbox."""
    return _load(weights, kind="torch-export", layout="torch.export.save archive, with <name>.json", sha256=sha256)


def _load(weights: Path, *, kind: str, layout: str, sha256: str | None) -> Program:
    found = checked_sha256(checked_path(weights), sha256)
    description = read_description(weights)
    child = Sandbox("program", setup={"path": str(weights.resolve()), "kind": kind}, timeout_s=TIMEOUT_S)
    return Program(child, description, key=kind, layout=layout, weights_sha256=found)
