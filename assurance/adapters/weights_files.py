"""Weights are data, never code: safetensors, or a state dict read with ``weights_only=True``."""

from __future__ import annotations

import hashlib
import importlib.metadata
import pickle
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from assurance.adapters.protocol import checked_path
from assurance.evidence.errors import InvalidInput, Unavailable

LARGEST_BYTES = 8 * 2**30


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
    if sha256 is not None and (found := file_sha256(path)) != sha256:
        raise InvalidInput("other_weights", f"{path} has SHA-256 {found[:12]}…, expected {sha256[:12]}…")
    try:
        content: object
        if path.suffix == ".safetensors":
            content = load_file(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, SafetensorError, EOFError, ValueError) as error:
        raise InvalidInput(
            "unsafe_weights", f"{path} is not plain tensors ({str(error).splitlines()[0][:160]}): give safetensors"
        ) from error
    if isinstance(content, dict) and set(content) & {"model", "state_dict"}:
        content = content.get("model", content.get("state_dict"))
    if not isinstance(content, dict) or not all(isinstance(tensor, torch.Tensor) for tensor in content.values()):
        raise InvalidInput("not_tensors", f"{path} holds no mapping of names to tensors")
    return dict(content)


def load_strictly(network: torch.nn.Module, tensors: dict[str, torch.Tensor], *, what: str) -> None:
    """Load every tensor into ``network`` and refuse weights of another model, naming what differs."""
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
    network.load_state_dict(tensors)


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
