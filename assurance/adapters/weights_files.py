"""Weights are data, never code: safetensors, or a state dict read with ``weights_only=True``."""

from __future__ import annotations

import importlib.metadata
import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from assurance.adapters.digests import checked_sha256 as checked_sha256
from assurance.adapters.digests import file_sha256 as file_sha256
from assurance.adapters.pickles import foreign_names, names_in_file
from assurance.adapters.protocol import checked_path
from assurance.evidence.errors import InvalidInput, Unavailable

LARGEST_BYTES = 8 * 2**30
WRAPPERS = ("model", "state_dict", "network", "ema", "net")
"""Names under which training scripts put the state dict into a checkpoint."""


def read_state_dict(path: Path, *, sha256: str | None = None) -> dict[str, torch.Tensor]:
    """Tensors by name. A file that would run code when read, that is too large or has another hash is refused.

    Raises
    ------
    InvalidInput
        ``no_weights``, ``too_large``, ``other_weights`` (hash), ``unsafe_weights`` (pickle with code), ``not_tensors``.
    """
    checked_path(path)
    size = path.stat().st_size
    if size > LARGEST_BYTES:
        raise InvalidInput("too_large", f"{path} has {size} bytes: at most {LARGEST_BYTES}")
    if sha256 is not None:
        checked_sha256(path, sha256)
    try:
        content: object
        if path.suffix == ".safetensors":
            content = load_file(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a torn or foreign file can fail anywhere inside the readers
        raise InvalidInput(
            "unsafe_weights", f"{path} is not plain tensors ({_what_was_found(path, error)}): give safetensors"
        ) from error
    if isinstance(content, dict):
        content = _unwrapped(content)
    if (
        not isinstance(content, dict)
        or not content
        or not all(isinstance(value, torch.Tensor) for value in content.values())
    ):
        raise InvalidInput("not_tensors", f"{path} holds no mapping of names to tensors")
    return dict(content)


def _what_was_found(path: Path, error: Exception) -> str:
    """For a pickle with code, the names that it would have imported; else the reader's own words."""
    if path.suffix != ".safetensors" and (names := foreign_names(names_in_file(path))):
        return f"a pickle that asks for {', '.join(names[:4])}"
    text = str(error)
    return text.splitlines()[0][:160] if text else type(error).__name__


def _unwrapped(content: dict[Any, Any]) -> object:
    for name in WRAPPERS:
        inner = content.get(name)
        if isinstance(inner, dict) and inner and all(isinstance(value, torch.Tensor) for value in inner.values()):
            return inner
    return content


def without_prefix(tensors: dict[str, torch.Tensor], prefix: str = "module.") -> dict[str, torch.Tensor]:
    """Names without the prefix that DataParallel leaves, when all of them have it."""
    if all(name.startswith(prefix) for name in tensors):
        return {name.removeprefix(prefix): tensor for name, tensor in tensors.items()}
    return tensors


def in_single_precision(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}


def load_strictly(network: torch.nn.Module, tensors: dict[str, torch.Tensor], *, what: str) -> None:
    """Load every tensor into ``network``; refuse weights of another model, naming what differs, and broken ones.

    Raises
    ------
    InvalidInput
        ``other_model``: tensors are missing, unexpected or of another shape. ``broken_weights``: NaN or infinity.
    """
    expected = network.state_dict()
    missing, unexpected = sorted(set(expected) - set(tensors)), sorted(set(tensors) - set(expected))
    shapes = [name for name in expected if name in tensors and expected[name].shape != tensors[name].shape]
    if missing or unexpected or shapes:
        parts = [
            f"{len(names)} {title} ({', '.join(names[:3])}{', …' if len(names) > 3 else ''})"
            for title, names in (("missing", missing), ("unexpected", unexpected), ("of another shape", shapes))
            if names
        ]
        raise InvalidInput("other_model", f"these are not weights of {what}: {'; '.join(parts)}")
    refuse_broken(tensors, what=what)
    network.load_state_dict(tensors)


def refuse_broken(tensors: dict[str, torch.Tensor], *, what: str) -> None:
    broken = [name for name, tensor in tensors.items() if tensor.is_floating_point() and not tensor.isfinite().all()]
    if broken:
        raise InvalidInput(
            "broken_weights", f"the weights of {what} hold NaN or infinity in {len(broken)} tensors, first {broken[0]}"
        )


def read_json(path: Path, *, what: str) -> dict[str, Any]:
    """A JSON object beside weights.

    Raises
    ------
    InvalidInput
        ``no_description``: no file, no JSON, or not an object.
    """
    if not path.is_file():
        raise InvalidInput("no_description", f"{path} is not there: it is {what}")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput("no_description", f"{path} is not JSON ({error}): it is {what}") from error
    if not isinstance(content, dict):
        raise InvalidInput("no_description", f"{path} holds a {type(content).__name__}: it is {what}, a JSON object")
    return content


def packaged_file(package: str, name: str) -> Path:
    """A data file inside an installed package, found without importing the package."""
    try:
        files = importlib.metadata.files(package) or []
    except importlib.metadata.PackageNotFoundError as error:
        raise Unavailable("package_missing", f"{name} comes with {package}: pip install --no-deps {package}") from error
    for file in files:
        if file.name == name:
            return Path(str(file.locate()))
    raise Unavailable("file_missing", f"{package} is installed without {name}: install it again")
