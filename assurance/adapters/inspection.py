"""What a weights file or folder is, and which adapter takes it; nothing in it is run."""

from __future__ import annotations

import json
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from assurance.adapters.catalogue import ADAPTERS
from assurance.adapters.digests import file_sha256, folder_sha256
from assurance.adapters.pickles import foreign_names, pickle_names
from assurance.evidence.errors import InvalidInput

Shapes = Mapping[str, tuple[int, ...]]
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")
LARGEST_HEADER = 100 * 2**20
MARKS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("lite-medsam", ("image_encoder.patch_embed.seq.0.c.weight", "mask_decoder.iou_token.weight")),
    ("medsam", ("image_encoder.patch_embed.proj.weight", "image_encoder.pos_embed", "mask_decoder.iou_token.weight")),
    ("medsam", ("vision_encoder.patch_embed.projection.weight", "mask_decoder.iou_token.weight")),
    ("unigradicon", ("netPsi.net.downConvs.0.weight", "netPhi.netPsi.net.downConvs.0.weight")),
    ("unigradicon", ("regis_net.netPsi.net.downConvs.0.weight",)),
    ("voxelmorph", ("c.0.weight", "c.10.weight", "flow.weight")),
    ("monai-densenet", ("features.conv0.weight", "class_layers.out.weight")),
    ("monai-swinunetr", ("swinViT.patch_embed.proj.weight", "out.conv.conv.weight")),
    ("monai-unet", ("model.0.conv.unit0.conv.weight",)),
    ("monai-unet", ("model.0.conv.weight", "model.1.submodule.0.conv.weight")),
)
"""Tensors that only one family has, the narrower marks first."""


@dataclass(frozen=True)
class WeightsReport:
    """``kind`` is the container; ``adapter`` a key or empty, with the ``reason`` and what to do in a sentence."""

    path: str
    kind: str
    reason: str
    adapter: str = ""
    n_bytes: int = 0
    n_tensors: int = 0
    n_parameters: int = 0
    sha256: str = ""
    asks_for: tuple[str, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        return {**self.__dict__, "asks_for": list(self.asks_for)}


def inspect(path: Path) -> WeightsReport:
    """Look at a file or folder.

    Raises
    ------
    InvalidInput
        ``no_weights``: there is nothing at ``path``.
    """
    if path.is_dir():
        return _folder(path)
    if not path.is_file():
        raise InvalidInput("no_weights", f"{path} is neither a file nor a folder")
    found = _file(path)
    return WeightsReport(**{**found.__dict__, "n_bytes": path.stat().st_size, "sha256": file_sha256(path)})


def _file(path: Path) -> WeightsReport:
    with path.open("rb") as file:
        start = file.read(16)
    if path.suffix == ".safetensors":
        return _tensors(path, "safetensors", _safetensors_shapes(path))
    if zipfile.is_zipfile(path):
        return _archive(path)
    if start[:8] == b"\x89HDF\r\n\x1a\n":
        return WeightsReport(
            str(path), "HDF5", "Keras weights: convert them to safetensors under the layout of their adapter"
        )
    if start[:1] == b"\x80":
        asks = pickle_names(path.read_bytes())
        return WeightsReport(str(path), "pickle", _pickle_reason(asks), asks_for=asks)
    if path.suffix == ".onnx" or start[:1] == b"\x08":
        return WeightsReport(str(path), "ONNX", _beside(path, "an ONNX graph"), adapter="onnx")
    return WeightsReport(str(path), "unknown", f"no known container; its first bytes are {start[:8].hex(' ')}")


def _archive(path: Path) -> WeightsReport:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        inner = {name.partition("/")[2] or name for name in names}
        pickles = [name for name in names if name.endswith("data.pkl")]
        asks = pickle_names(archive.read(pickles[0])) if pickles else ()
    if any(name.startswith("code/") for name in inner) or "constants.pkl" in inner:
        return WeightsReport(
            str(path), "TorchScript", _beside(path, "a TorchScript program, run in the sandbox"), adapter="torchscript"
        )
    if any(name.endswith(("exported_program.json", "models/model.json")) for name in inner):
        return WeightsReport(
            str(path),
            "torch.export",
            _beside(path, "a torch.export program, run in the sandbox"),
            adapter="torch-export",
        )
    if not pickles:
        return WeightsReport(str(path), "zip", "a zip archive without weights of PyTorch in it")
    if foreign := foreign_names(asks):
        return WeightsReport(str(path), "pickle", _pickle_reason(foreign), asks_for=foreign)
    from assurance.adapters.weights_files import read_state_dict, without_prefix

    try:
        tensors = without_prefix(read_state_dict(path))
    except InvalidInput as refusal:
        return WeightsReport(str(path), "pickle", refusal.message, asks_for=asks)
    return _tensors(path, "PyTorch state dict", {name: tuple(tensor.shape) for name, tensor in tensors.items()})


def _tensors(path: Path, kind: str, shapes: Shapes) -> WeightsReport:
    adapter, reason = matched(shapes, path)
    parameters = sum(_product(shape) for name, shape in shapes.items() if not name.endswith(STATISTICS))
    return WeightsReport(
        str(path), kind, reason, adapter=adapter, n_tensors=len(shapes), n_parameters=parameters,
        facts={"first": sorted(shapes)[:3]},
    )  # fmt: skip


def matched(shapes: Shapes, path: Path) -> tuple[str, str]:
    """The adapter of a set of tensors, and why."""
    for key, marks in MARKS:
        if all(mark in shapes for mark in marks):
            described = key.startswith("monai-")
            reason = _beside(path, f"tensors of {ADAPTERS[key].title}") if described else f"has {marks[0]}"
            return key, reason
    description = path.with_suffix(".json")
    if description.is_file():
        try:
            content = json.loads(description.read_text(encoding="utf-8"))
        except (json.JSONDecodeError, UnicodeDecodeError):
            content = {}
        if isinstance(content, dict) and "layers" in content:
            return "meshnet", f"{description.name} lists the layers of a sequence"
    if any("fc_position" in name for name in shapes):
        return (
            "medlsam",
            "MedLAM's own checkpoint: it is read by a checkout (VIGIL_MEDLSAM_HOME), named in its configuration",
        )
    first = ", ".join(sorted(shapes)[:3])
    return "", f"no adapter knows these tensors (the first are {first})"


def _folder(path: Path) -> WeightsReport:
    def report(kind: str, adapter: str, reason: str, **facts: Any) -> WeightsReport:
        size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        return WeightsReport(
            str(path), kind, reason, adapter=adapter, n_bytes=size, sha256=folder_sha256(path), facts=facts
        )

    if (path / "model_index.json").is_file():
        kind = _json(path / "model_index.json").get("_class_name", "")
        if kind == "StableDiffusionPipeline":
            return report("diffusers pipeline", "roentgen", "a StableDiffusionPipeline", pipeline=kind)
        return report("diffusers pipeline", "", f"a {kind}: only StableDiffusionPipeline is read", pipeline=kind)
    if (path / "base" / "model_index.json").is_file() and (path / "unet").is_dir():
        return report("diffusers U-Net beside its base", "minim", "unet/ replaces the U-Net of base/")
    if (path / "unet" / "config.json").is_file() and (path / "scheduler").is_dir():
        kind = _json(path / "unet" / "config.json").get("_class_name", "")
        adapter = "ddpm-classconditional" if kind == "UNet2DModel" else ""
        return report("diffusers network", adapter, f"unet/ is a {kind}", network=kind)
    if (path / "configs" / "metadata.json").is_file():
        return report("MONAI bundle", "monai-bundle", "has configs/metadata.json")
    if (path / "relative_distance.safetensors").is_file():
        return report("localizer", "medlsam", "has relative_distance.safetensors and supports/")
    if (path / "AutoencoderModel").is_dir() and (path / "DiffusionModel").is_dir():
        return report("DiffTumor weights", "difftumor", "needs a checkout too: VIGIL_DIFFTUMOR_HOME")
    if (path / "config.json").is_file():
        content = _json(path / "config.json")
        kind, names = str(content.get("model_type", "")), content.get("architectures") or [""]
        if kind == "sam":
            return report("transformers model", "medsam", "config.json says model_type sam", model_type=kind)
        if str(names[0]).endswith("ForImageClassification"):
            return report("transformers model", "hf-image-classifier", f"config.json says {names[0]}", model_type=kind)
        return report("transformers model", "", f"a {names[0] or kind}: no adapter takes it", model_type=kind)
    return report("folder", "", "no model_index.json, config.json, configs/metadata.json or unet/ in it")


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError):
        return {}
    return content if isinstance(content, dict) else {}


def _beside(path: Path, what: str) -> str:
    description = path.with_suffix(".json")
    if description.is_file():
        return f"{what}, described by {description.name}"
    return f"{what}; it also needs {description.name} with its task, classes, size and scale"


def _pickle_reason(asks: tuple[str, ...]) -> str:
    named = ", ".join(asks[:4]) or "objects"
    return f"a pickle that would run code when read (it asks for {named}): it is refused; convert it to safetensors"


def _safetensors_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    with path.open("rb") as file:
        head = file.read(8)
        size = struct.unpack("<Q", head)[0] if len(head) == 8 else 0
        if not 2 <= size <= min(LARGEST_HEADER, path.stat().st_size):
            raise InvalidInput("not_tensors", f"{path} is no safetensors file: its header would have {size} bytes")
        try:
            content = json.loads(file.read(size))
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            raise InvalidInput("not_tensors", f"{path} is no safetensors file: {error}") from error
    content.pop("__metadata__", None)
    return {name: tuple(entry["shape"]) for name, entry in content.items()}


def _product(shape: tuple[int, ...]) -> int:
    out = 1
    for length in shape:
        out *= length
    return out
