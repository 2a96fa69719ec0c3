"""DiffTumor: synthetic tumours in CT, drawn into a healthy organ (Chen et al. 2024, CVPR).

Its code and weights are CC BY-NC-ND 4.0: they are neither copied nor changed here. The adapter calls the user's own
checkout (``VIGIL_DIFFTUMOR_HOME``) in the sandbox, with the user's own weights.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from assurance.adapters.images import checked_volume
from assurance.adapters.protocol import Contract, LoadedModel, Prediction, Prompt, within_memory
from assurance.adapters.sandbox import Sandbox
from assurance.adapters.weights_files import checked_sha256
from assurance.evidence.errors import InvalidInput, NotComputable, Unavailable

HOME = "VIGIL_DIFFTUMOR_HOME"
ROOM = "STEP3.SegmentationModel"
ORGANS = ("liver", "pancreas", "kidney")
SIZES = ("early", "medium", "large")
WINDOW = (-175.0, 250.0)
SIDE = 96
TIMEOUT_S = 1800.0


class DiffTumor(LoadedModel):
    """``predict(ct, Prompt(mask=organ, label="liver early"))``: the CT with a tumour, and where the tumour is."""

    key = "difftumor"
    task = "generation"
    modalities = ("CT",)
    licence = "CC BY-NC-ND 4.0: the user's own copy, not for commercial use"
    source = "MrGiovanni/DiffTumor"
    checkpoint_layout = "AutoencoderModel/AutoencoderModel.ckpt and DiffusionModel/<organ>_early.pt, <organ>_noearly.pt"
    prompt_types = ("mask", "label")
    input_kind = "volume"
    differentiable = False

    def __init__(self, weights: Path, home: Path, *, weights_sha256: str, device: str = "cpu") -> None:
        super().__init__(nn.Module(), weights_sha256=weights_sha256, device=device)
        self.weights, self.home = weights, home
        self.children: dict[str, Sandbox] = {}

    @property
    def contract(self) -> Contract:
        return Contract(
            inputs=f"CT patch of {SIDE}³ voxels in HU, clipped to {WINDOW[0]:g}..{WINDOW[1]:g}, scaled to 0..1; a mask "
            f"of the healthy organ; a label such as 'liver early' ({', '.join(ORGANS)}; {', '.join(SIZES)})",
            outputs="the patch with a tumour in HU, and the tumour's mask",
            input_shape=(1, SIDE, SIDE, SIDE),
            classes=tuple(f"{organ} {size}" for organ in ORGANS for size in SIZES),
            output_unit="HU",
        )

    def prepare(self, image: Any) -> torch.Tensor:
        volume = checked_volume(image)
        if volume.unit.upper() != "HU":
            raise InvalidInput("bad_unit", f"the volume's unit is {volume.unit!r}: this model reads CT in HU")
        if volume.array.shape != (SIDE,) * 3:
            raise InvalidInput(
                "bad_shape", f"the patch has shape {volume.array.shape}: cut {SIDE} × {SIDE} × {SIDE} voxels"
            )
        low, high = WINDOW
        grey = (np.clip(volume.array, low, high) - low) / (high - low)
        return torch.from_numpy(grey.astype(np.float32))[None, None]

    def forward(self, inputs: torch.Tensor, prompt: Prompt | None = None) -> torch.Tensor:
        raise NotComputable(
            "no_forward", "the checkout draws whole patches in its own process: use predict or generate"
        )

    def predict(self, image: Any, prompt: Prompt | None = None) -> Prediction:
        return self.generate(image, prompt or Prompt(), seed=0)

    @within_memory
    def generate(self, image: Any, prompt: Prompt, *, seed: int) -> Prediction:
        """Draw one tumour; the same seed gives the same one on the same machine."""
        volume = checked_volume(image)
        organ, _, size = prompt.label.partition(" ")
        if organ not in ORGANS or (size or "early") not in SIZES:
            raise InvalidInput(
                "prompt_missing", f"label {prompt.label!r}: give one of {', '.join(self.contract.classes)}"
            )
        grey = self.prepare(volume).numpy()
        mask = prompt.checked_mask(volume.array.shape)
        child = self._child(organ)
        facts, arrays = child.call(
            "draw", {"organ": organ, "size": size or "early", "seed": seed},
            {"ct": grey, "organ": mask[None, None].astype(np.float32)},
        )  # fmt: skip
        low, high = WINDOW
        drawn, tumour = arrays["ct"][0, 0], arrays["tumour"][0, 0] > 0
        if drawn.shape != mask.shape or tumour.shape != mask.shape or not np.isfinite(drawn).all():
            raise NotComputable("not_finite", f"the checkout gave a patch of shape {drawn.shape} that cannot be used")
        settings = {"label": f"{organ} {size or 'early'}", "seed": seed, "isolation": child.isolation, **facts}
        image_hu = (drawn * (high - low) + low).astype(np.float32)
        return Prediction(image=image_hu, mask=tumour, settings=settings)

    def _child(self, organ: str) -> Sandbox:
        if organ not in self.children:
            files = {"autoencoder": self.weights / "AutoencoderModel" / "AutoencoderModel.ckpt",
                     "diffusion": self.weights / "DiffusionModel"}  # fmt: skip
            setup = {
                "organ": organ,
                "device": str(self.device),
                **{name: str(path.resolve()) for name, path in files.items()},
            }
            self.children[organ] = Sandbox("difftumor", setup=setup, paths=(self.home / ROOM,), timeout_s=TIMEOUT_S)
        return self.children[organ]


def load(weights: Path, *, sha256: str | None = None, device: str = "cpu") -> DiffTumor:
    """Take a folder in the layout of the hub ``MrGiovanni/DiffTumor`` and the checkout of the environment.

    Raises
    ------
    InvalidInput
        ``no_weights`` names the file that is missing; ``other_weights`` (hash).
    Unavailable
        ``no_checkout``.
    """
    autoencoder = weights / "AutoencoderModel" / "AutoencoderModel.ckpt"
    diffusion = sorted((weights / "DiffusionModel").glob("*_*early.pt"))
    if not autoencoder.is_file() or not diffusion:
        missing = autoencoder if not autoencoder.is_file() else weights / "DiffusionModel" / "liver_early.pt"
        raise InvalidInput("no_weights", f"{missing} is not there: give a folder in the layout of MrGiovanni/DiffTumor")
    digest = checked_sha256(weights, sha256)
    home = Path(os.environ.get(HOME, ""))
    if not os.environ.get(HOME) or not (home / ROOM / "TumorGeneration").is_dir():
        raise Unavailable(
            "no_checkout",
            f"{HOME}={os.environ.get(HOME, '')!r} has no {ROOM}/TumorGeneration: clone MrGiovanni/DiffTumor yourself "
            "(CC BY-NC-ND 4.0) and name the folder",
        )
    return DiffTumor(weights, home.resolve(), weights_sha256=digest, device=device)
