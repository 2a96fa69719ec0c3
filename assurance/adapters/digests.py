"""What exactly ran is what its SHA-256 says: of a file, or of a folder with everything in it."""

from __future__ import annotations

import hashlib
from pathlib import Path

from assurance.evidence.errors import InvalidInput

SIDECAR = "vigil-weights.json"
"""Where fetched weights note their source and licence; not a part of the model."""


def file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def folder_sha256(folder: Path) -> str:
    """One hash over the name and the SHA-256 of every file in the folder, in the order of names."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.name != SIDECAR):
        digest.update(f"{path.relative_to(folder).as_posix()} {file_sha256(path)}\n".encode())
    return digest.hexdigest()


def checked_sha256(path: Path, expected: str | None) -> str:
    """The hash of a weights file or folder.

    Raises
    ------
    InvalidInput
        ``no_weights``: there is nothing. ``other_weights``: it is not the expected hash.
    """
    if not path.exists():
        raise InvalidInput("no_weights", f"{path} is neither a file nor a folder: give the path of the weights")
    found = folder_sha256(path) if path.is_dir() else file_sha256(path)
    if expected is not None and found != expected:
        raise InvalidInput("other_weights", f"{path} has SHA-256 {found[:12]}…, expected {expected[:12]}…")
    return found
