"""ONNX graphs through onnxruntime: outputs only, so gradient-free methods."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from assurance.adapters.described_model import DescribedModel
from assurance.adapters.description import Description, read_description
from assurance.adapters.extras import needed
from assurance.adapters.protocol import Prompt, checked_path
from assurance.adapters.weights_files import checked_sha256
from assurance.evidence.errors import InvalidInput, NotComputable


class OnnxModel(DescribedModel):
    key = "onnx"
    modalities = ("OT",)
    checkpoint_layout = "ONNX graph with one image input, with <name>.json"
    differentiable = False

    def __init__(self, session: Any, description: Description, *, weights_sha256: str) -> None:
        super().__init__(torch.nn.Module(), description, weights_sha256=weights_sha256)
        self.session = session

    def forward(self, inputs: torch.Tensor, prompt: Prompt | None = None) -> torch.Tensor:
        if inputs.requires_grad and torch.is_grad_enabled():
            raise NotComputable("no_gradient", "an ONNX graph gives no gradients: choose occlusion or KernelShap")
        array = inputs.detach().cpu().numpy().astype(np.float32)
        if self.description.channels_last:
            array = np.moveaxis(array, 1, -1)
        name, fixed = self.session.get_inputs()[0].name, self.session.get_inputs()[0].shape[0]
        # A graph with a fixed batch of one takes the images one after the other.
        parts = np.split(array, len(array)) if fixed == 1 else [array]
        outputs = [self.session.run(None, {name: part})[0] for part in parts]
        output = np.concatenate(outputs)
        if self.description.channels_last and output.ndim > 2:
            output = np.moveaxis(output, -1, 1)
        return torch.from_numpy(np.ascontiguousarray(output, dtype=np.float32))


def load(weights: Path, *, sha256: str | None = None, device: str = "cpu") -> OnnxModel:
    """Read an ONNX file with its description in ``<name>.json``.

    Raises
    ------
    InvalidInput
        ``other_model``: no ONNX graph, or not one image input that fits the description.
    Unavailable
        ``extra_missing`` without onnxruntime.
    """
    runtime = needed("onnxruntime", extra="onnx")
    found = checked_sha256(checked_path(weights), sha256)
    description = read_description(weights)
    options = runtime.SessionOptions()
    options.log_severity_level = 4
    providers = ["CUDAExecutionProvider"] if device.startswith("cuda") else []
    try:
        session = runtime.InferenceSession(
            weights.read_bytes(), sess_options=options, providers=[*providers, "CPUExecutionProvider"]
        )
    except Exception as error:  # onnxruntime's errors share no public base class
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise InvalidInput("other_model", f"{weights} is no ONNX graph that runs alone: {first[:200]}") from error
    inputs = session.get_inputs()
    if len(inputs) != 1 or len(inputs[0].shape) != description.dims + 2:
        shapes = ", ".join(str(entry.shape) for entry in inputs)
        raise InvalidInput(
            "other_model", f"{weights} takes {len(inputs)} inputs of shape {shapes}: one image (1, C, ...) is needed"
        )
    channels = inputs[0].shape[-1 if description.channels_last else 1]
    if isinstance(channels, int) and channels != description.channels:
        raise InvalidInput(
            "other_model", f"{weights} takes {channels} channels, its description says {description.channels}"
        )
    return OnnxModel(session, description, weights_sha256=found)
