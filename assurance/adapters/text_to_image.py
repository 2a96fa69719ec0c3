"""Latent diffusion from a text (Stable Diffusion checkpoints): RoentGen and MINIM."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import nn

from assurance.adapters.cross_attention import RecordingCrossAttention
from assurance.adapters.extras import needed
from assurance.adapters.protocol import Contract, LoadedModel, Prediction, Prompt, within_memory
from assurance.adapters.weights_files import checked_sha256, load_strictly, read_json, read_state_dict, refuse_broken
from assurance.evidence.errors import InvalidInput

PARTS = ("unet", "vae", "text_encoder")
MOST_STEPS = 1000
ATTENTION_NAMES = ((".query.", ".to_q."), (".key.", ".to_k."), (".value.", ".to_v."), (".proj_attn.", ".to_out.0."))
"""Of the autoencoder's attention in checkpoints before diffusers 0.17, such as Stable Diffusion v1-4.
"""


class TextToImage(LoadedModel):
    """A generator: ``predict(None, Prompt(text=...))`` draws; ``forward`` is one step of noise prediction.

    ``network`` is the U-Net. ``forward`` takes latents (B, C, h, w) and predicts their noise for the text at the first
    timestep of the schedule, differentiably with respect to the latents.
    """

    task = "generation"
    input_kind = "none"
    prompt_types = ("text",)
    steps = 50
    guidance = 7.5

    def __init__(self, pipeline: Any, *, weights_sha256: str, device: str = "cpu") -> None:
        super().__init__(pipeline.unet, weights_sha256=weights_sha256, device=device)
        for part in (pipeline.vae, pipeline.text_encoder):
            part.eval().requires_grad_(False)
        self.pipeline = pipeline.to(self.device)
        self.pipeline.set_progress_bar_config(disable=True)

    @property
    def contract(self) -> Contract:
        side = int(self.network.config.sample_size)  # type: ignore[union-attr,arg-type,operator]
        pixels = side * int(self.pipeline.vae_scale_factor)
        return Contract(
            inputs="a text prompt and a seed",
            outputs=f"image ({pixels}, {pixels}), grey value 0..1",
            input_shape=(int(self.network.config.in_channels), side, side),  # type: ignore[union-attr,arg-type,operator]
            output_unit="noise",
        )

    def prepare(self, image: Any) -> torch.Tensor:
        """Latents (1, C, h, w) drawn with the seed ``image``, a whole number."""
        if not isinstance(image, int | np.integer) or image < 0:
            raise InvalidInput("bad_seed", f"{self.key} starts from noise: give a seed, a whole number of 0 or more")
        generator = torch.Generator().manual_seed(int(image))
        latents = torch.randn((1, *self.contract.input_shape), generator=generator)
        return (latents * self.pipeline.scheduler.init_noise_sigma).to(self.device)

    def forward(self, inputs: torch.Tensor, prompt: Prompt | None = None) -> torch.Tensor:
        scheduler = self.pipeline.scheduler
        scheduler.set_timesteps(self.steps)
        time = scheduler.timesteps[0]
        text = self.text_states((prompt or Prompt()).checked_text()).expand(len(inputs), -1, -1)
        scaled = scheduler.scale_model_input(inputs, time)
        return self.network(scaled, time, encoder_hidden_states=text).sample  # type: ignore[no-any-return]

    def text_states(self, text: str) -> torch.Tensor:
        """The text encoder's states (1, tokens, width)."""
        tokenizer = self.pipeline.tokenizer
        tokens = tokenizer(
            text, padding="max_length", max_length=tokenizer.model_max_length, truncation=True, return_tensors="pt"
        )
        return self.pipeline.text_encoder(tokens.input_ids.to(self.device))[0]  # type: ignore[no-any-return]

    def tokens(self, text: str) -> list[str]:
        """The text's tokens by their place in the cross-attention maps; the first is the start token."""
        tokenizer = self.pipeline.tokenizer
        ids = tokenizer(text, max_length=tokenizer.model_max_length, truncation=True).input_ids
        return [str(token) for token in tokenizer.convert_ids_to_tokens(ids)]

    @within_memory
    def predict(self, image: Any, prompt: Prompt | None = None) -> Prediction:
        return self.generate((prompt or Prompt()).checked_text(), seed=0 if image is None else int(image))

    @torch.inference_mode()
    def generate(
        self, text: str, *, seed: int = 0, steps: int | None = None, guidance: float | None = None
    ) -> Prediction:
        """Draw one image. The same text, seed, steps and guidance give the same image on the same machine."""
        steps, guidance = self.steps if steps is None else steps, self.guidance if guidance is None else guidance
        if not 1 <= steps <= MOST_STEPS:
            raise InvalidInput("bad_steps", f"steps {steps}: give 1 to {MOST_STEPS}")
        if not 0 <= guidance <= 50:
            raise InvalidInput("bad_guidance", f"guidance {guidance:g}: give 0 to 50")
        output = self.pipeline(
            Prompt(text=text).checked_text(), num_inference_steps=steps, guidance_scale=guidance,
            latents=self.prepare(seed), output_type="np",
        )  # fmt: skip
        picture = np.asarray(output.images[0], dtype=np.float32).mean(axis=2)
        settings = {
            "text": text, "seed": seed, "steps": steps, "guidance": guidance,
            "scheduler": type(self.pipeline.scheduler).__name__, "n_tokens": len(self.tokens(text)),
            "scheduler_config": {key: value for key, value in self.pipeline.scheduler.config.items() if key[0] != "_"},
        }  # fmt: skip
        return Prediction(image=picture, settings=settings)

    @contextmanager
    def recorded_cross_attention(self) -> Iterator[dict[str, list[torch.Tensor]]]:
        """Collect, by layer, the maps of every step inside: (B, tokens, cells), the mean over heads.

        With guidance the batch holds the empty text first and the prompt last.
        """
        unet: Any = self.network
        kept = dict(unet.attn_processors)
        found: dict[str, list[torch.Tensor]] = {}
        unet.set_attn_processor({
            name: RecordingCrossAttention(found, name) if ".attn2." in name else processor
            for name, processor in kept.items()
        })  # fmt: skip
        try:
            yield found
        finally:
            unet.set_attn_processor(kept)

    def with_network(self, network: nn.Module) -> Self:
        other = super().with_network(network)
        other.pipeline = copy.copy(self.pipeline)
        other.pipeline.register_modules(unet=other.network)
        return other

    def feature_layer(self) -> nn.Module:
        return self.network.mid_block  # type: ignore[union-attr,return-value]


class RoentGen(TextToImage):
    key = "roentgen"
    modalities = ("CR", "DX")
    licence = "CreativeML OpenRAIL-M, gated with the MIMIC-CXR credentials"
    source = "StanfordMIMI/RoentGen, StanfordAIMI/roent-gen-v1-0"
    checkpoint_layout = (
        "diffusers StableDiffusionPipeline folder (model_index.json, unet/, vae/, text_encoder/, tokenizer/)"
    )
    steps = 75
    guidance = 4.0


class Minim(TextToImage):
    key = "minim"
    modalities = ("OP", "CR", "OPT", "MR", "CT")
    licence = "none given by its authors"
    source = "WithStomach/MINIM; its base is CompVis/stable-diffusion-v1-4"
    checkpoint_layout = "a folder with unet/ per modality, beside base/, a StableDiffusionPipeline folder"
    steps = 100
    guidance = 7.5


def load_roentgen(weights: Path, *, sha256: str | None = None, device: str = "cpu") -> RoentGen:
    """Read a pipeline's folder. See :func:`pipeline_from`."""
    return RoentGen(pipeline_from(weights), weights_sha256=checked_sha256(weights, sha256), device=device)


def load_minim(weights: Path, *, sha256: str | None = None, device: str = "cpu", base: Path | None = None) -> Minim:
    """Read ``unet/`` in ``weights`` into the pipeline of ``base``, by default ``weights/base``."""
    base = base or weights / "base"
    if not base.is_dir():
        raise InvalidInput("no_weights", f"{base} is not a folder: put the base pipeline (stable-diffusion-v1-4) there")
    pipeline = pipeline_from(base, unet=weights / "unet")
    return Minim(pipeline, weights_sha256=checked_sha256(weights, sha256), device=device)


def pipeline_from(folder: Path, *, unet: Path | None = None) -> Any:
    """A ``StableDiffusionPipeline`` from a local folder; nothing is fetched, no code of the folder runs.

    Raises
    ------
    InvalidInput
        ``no_description`` (no model_index.json), ``other_model``, ``no_weights``, ``unsafe_weights``,
        ``broken_weights``.
    Unavailable
        ``extra_missing`` without diffusers.
    """
    diffusers = needed("diffusers", extra="diffusion")
    needed("transformers", extra="diffusion")
    index = read_json(folder / "model_index.json", what="diffusers' description of the pipeline")
    if index.get("_class_name") != "StableDiffusionPipeline":
        raise InvalidInput(
            "other_model", f"{folder} holds a {index.get('_class_name')}: a StableDiffusionPipeline is needed"
        )
    files = [weights_file(unet if part == "unet" and unet else folder / part) for part in PARTS]
    read = {file.parent.name: read_state_dict(file) for file in files}
    for part, tensors in read.items():
        refuse_broken(tensors, what=part)
    options: dict[str, Any] = {"safety_checker": None, "requires_safety_checker": False, "local_files_only": True}
    if unet is not None:
        config = read_json(unet / "config.json", what="diffusers' description of the U-Net")
        if config.get("_class_name") != "UNet2DConditionModel":
            raise InvalidInput(
                "other_model", f"{unet} holds a {config.get('_class_name')}: a UNet2DConditionModel is needed"
            )
        options["unet"] = diffusers.UNet2DConditionModel.from_config(config)
        load_strictly(options["unet"], read["unet"], what=f"the U-Net of {unet}")
    try:
        pipeline = diffusers.StableDiffusionPipeline.from_pretrained(folder, low_cpu_mem_usage=False, **options)
    except (OSError, ValueError, RuntimeError, TypeError) as error:
        raise InvalidInput(
            "other_model", f"{folder} is no whole pipeline: {str(error).splitlines()[0][:240]}"
        ) from error
    # diffusers fills what is missing with random numbers, so each part is loaded once more, strictly.
    for part in ("unet", "text_encoder", "vae"):
        load_strictly(getattr(pipeline, part), _names_of_today(getattr(pipeline, part), read[part]), what=f"its {part}")
    return pipeline


def _names_of_today(module: nn.Module, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Names that transformers and diffusers have changed since old checkpoints were written, as the module has them."""
    wanted = set(module.state_dict())
    out = {}
    for name, tensor in tensors.items():
        if name.endswith("position_ids") and name not in wanted:
            continue
        candidates = [name, name.removeprefix("text_model."), f"text_model.{name}"]
        for old, new in ATTENTION_NAMES:
            candidates.append(name.replace(old, new))
        found = next((candidate for candidate in candidates if candidate in wanted), name)
        shape = module.state_dict()[found].shape if found in wanted else tensor.shape
        # Old autoencoders hold attention as 1 × 1 convolutions.
        out[found] = tensor.reshape(shape) if tensor.numel() == int(np.prod(shape)) else tensor
    return out


def weights_file(folder: Path) -> Path:
    """The weights of one part of a pipeline, safetensors before the old layout."""
    names = (
        "diffusion_pytorch_model.safetensors",
        "model.safetensors",
        "diffusion_pytorch_model.bin",
        "pytorch_model.bin",
    )
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise InvalidInput("no_weights", f"{folder} has none of {', '.join(names)}")
