"""Weights of versions, by their SHA-256, in one folder that the inference workers read."""

import hashlib
import os
import shutil
from pathlib import Path

from django.conf import settings

from assurance.adapters.digests import folder_sha256
from assurance.evidence.errors import InvalidInput, Unavailable
from assurance.models import ModelVersion


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def keep_weights(path: Path) -> str:
    """Copy a weights file, or a folder of one model, into the instance's folder and return its SHA-256."""
    if path.is_dir():
        return _keep_folder(path)
    if not path.is_file():
        raise InvalidInput("no_weights", f"{path} is not a file: give the path of a weights file")
    sha256 = file_sha256(path)
    target = settings.WEIGHTS_DIR / f"{sha256}{path.suffix}"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = target.with_suffix(f".{os.getpid()}")
        shutil.copyfile(path, scratch)
        scratch.replace(target)
    description = path.with_suffix(".json")  # some adapters read what the layers are from a file beside the weights
    if description.is_file():
        shutil.copyfile(description, target.with_suffix(".json"))
    return sha256


def _keep_folder(path: Path) -> str:
    sha256 = folder_sha256(path)
    target = settings.WEIGHTS_DIR / f"{sha256}.folder"
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = target.with_suffix(f".{os.getpid()}")
        shutil.copytree(path, scratch)
        scratch.replace(target)
    return sha256


def weights_path(version: ModelVersion) -> Path:
    """Where the weights of ``version`` lie on this machine; ``Unavailable`` names what to do when they do not."""
    files = sorted(Path(settings.WEIGHTS_DIR).glob(f"{version.weights_sha256}.*"))
    found = [path for path in files if path.suffix != ".json"]
    if not found:
        raise Unavailable(
            "weights_away",
            f"the weights of {version} (SHA-256 {version.weights_sha256[:12]}…) are not in {settings.WEIGHTS_DIR}: "
            "copy the file there or fetch it with `vigil model fetch`",
        )
    return found[0]
