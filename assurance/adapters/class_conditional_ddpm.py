"""A small class-conditional diffusion model of chest radiographs (diffusers ``UNet2DModel`` with DDIM)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from assurance.adapters.extras import needed
from assurance.adapters.protocol import Array, Contract, LoadedModel, Prediction, Prompt, within_memory
from assurance.adapters.text_to_image import weights_file
from assurance.adapters.weights_files import checked_sha256, load_strictly, read_json, read_state_dict
from assurance.evidence.errors import InvalidInput, NotComputable

PACKAGED = Path(__file__).parent.parent / "data" / "models" / "pneumonia_ddpm32"
CLASSES = ("normal", "pneumonia")
NO_CLASS = 2
FORWARD_TIME = 500
MOST_STEPS = 1000


class ClassConditionalDdpm(LoadedModel):
    """``predict(seed, Prompt(label="pneumonia"))`` draws; ``forward`` is one prediction of the network.

    Guidance moves from the prediction without a class to that with one: u + w (c − u) (Ho & Salimans 2022).
    """

    key = "ddpm-classconditional"
    task = "generation"
    modalities = ("CR", "DX")
    licence = "CC BY 4.0"
    source = "trained by this project on PneumoniaMNIST (MedMNIST v2)"
    checkpoint_layout = "diffusers folder: unet/ (UNet2DModel) and scheduler/ (DDIMScheduler)"
    prompt_types = ("label",)
    input_kind = "none"
    steps = 50
    guidance = 1.5

    def __init__(self, network: nn.Module, scheduler: Any, *, weights_sha256: str, device: str = "cpu") -> None:
        super().__init__(network, weights_sha256=weights_sha256, device=device)
        self.scheduler = scheduler

    @property
    def contract(self) -> Contract:
        side = int(self.network.config.sample_size)  # type: ignore[union-attr,arg-type,operator]
        return Contract(
            inputs="a class (" + ", ".join(CLASSES) + ") and a seed",
            outputs=f"image ({side}, {side}), grey value 0..1",
            input_shape=(int(self.network.config.in_channels), side, side),  # type: ignore[union-attr,arg-type,operator]
            classes=CLASSES,
            output_unit=str(self.scheduler.config.prediction_type),
        )

    def prepare(self, image: Any) -> torch.Tensor:
        """Noise (1, 1, h, w) drawn with the seed ``image``."""
        if not isinstance(image, int | np.integer) or image < 0:
            raise InvalidInput("bad_seed", f"{self.key} starts from noise: give a seed, a whole number of 0 or more")
        generator = torch.Generator().manual_seed(int(image))
        return torch.randn((1, *self.contract.input_shape), generator=generator).to(self.device)

    def forward(self, inputs: torch.Tensor, prompt: Prompt | None = None) -> torch.Tensor:
        labels = torch.full((len(inputs),), self._index(prompt), device=self.device)
        return self.network(inputs, FORWARD_TIME, class_labels=labels).sample  # type: ignore[no-any-return]

    @staticmethod
    def _index(prompt: Prompt | None) -> int:
        label = (prompt or Prompt()).label
        if label not in CLASSES:
            raise InvalidInput("prompt_missing", f"label {label!r}: this model draws one of {', '.join(CLASSES)}")
        return CLASSES.index(label)

    @within_memory
    def predict(self, image: Any, prompt: Prompt | None = None) -> Prediction:
        return self.generate((prompt or Prompt()).label, seed=0 if image is None else int(image))[0]

    @torch.inference_mode()
    def generate(
        self, label: str, *, count: int = 1, seed: int = 0, steps: int | None = None, guidance: float | None = None
    ) -> list[Prediction]:
        """Draw ``count`` images of one class, from the seeds ``seed``, ``seed`` + 1 and so on."""
        steps, guidance = self.steps if steps is None else steps, self.guidance if guidance is None else guidance
        if not 1 <= steps <= MOST_STEPS:
            raise InvalidInput("bad_steps", f"steps {steps}: give 1 to {MOST_STEPS}")
        classes = torch.full((count,), self._index(Prompt(label=label)), device=self.device)
        both = torch.cat([classes, torch.full_like(classes, NO_CLASS)])
        self.scheduler.set_timesteps(steps)
        x = torch.cat([self.prepare(seed + place) for place in range(count)])
        for time in self.scheduler.timesteps:
            with_class, without = self.network(torch.cat([x, x]), time, class_labels=both).sample.chunk(2)
            x = self.scheduler.step(without + guidance * (with_class - without), time, x).prev_sample
        if not x.isfinite().all():
            raise NotComputable(
                "not_finite", f"{self.key} drew values that are not finite (steps {steps}, guidance {guidance:g})"
            )
        images: Array = ((x[:, 0].clamp(-1, 1) + 1) / 2).cpu().numpy()
        settings = {
            "label": label, "steps": steps, "guidance": guidance,
            "scheduler": type(self.scheduler).__name__,
            "scheduler_config": {name: value for name, value in self.scheduler.config.items() if name[0] != "_"},
        }  # fmt: skip
        return [
            Prediction(image=plane, settings={**settings, "seed": seed + place}) for place, plane in enumerate(images)
        ]

    def feature_layer(self) -> nn.Module:
        return self.network.mid_block  # type: ignore[union-attr,return-value]


def load(weights: Path | None = None, *, sha256: str | None = None, device: str = "cpu") -> ClassConditionalDdpm:
    """Read a folder with ``unet/`` and ``scheduler/``; without one the generator that comes with Vigil.

    Raises
    ------
    InvalidInput
        ``no_description``, ``no_weights``, ``other_model``, ``broken_weights``, ``unsafe_weights``.
    Unavailable
        ``extra_missing`` without diffusers.
    """
    diffusers = needed("diffusers", extra="diffusion")
    folder = weights or PACKAGED
    config = read_json(folder / "unet" / "config.json", what="diffusers' description of the network")
    if config.get("_class_name") != "UNet2DModel" or config.get("num_class_embeds") != len(CLASSES) + 1:
        raise InvalidInput(
            "other_model",
            f"{folder / 'unet'} is a {config.get('_class_name')} with {config.get('num_class_embeds')} classes: a "
            f"UNet2DModel with {len(CLASSES) + 1} ({', '.join(CLASSES)}, none) is needed",
        )
    steps = read_json(folder / "scheduler" / "scheduler_config.json", what="diffusers' description of the schedule")
    network = diffusers.UNet2DModel.from_config(config)
    file = weights_file(folder / "unet")
    load_strictly(network, read_state_dict(file), what="this UNet2DModel")
    scheduler = diffusers.DDIMScheduler.from_config(steps)
    return ClassConditionalDdpm(network, scheduler, weights_sha256=checked_sha256(folder, sha256), device=device)
