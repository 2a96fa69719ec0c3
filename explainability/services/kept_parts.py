"""Finished parts of a long map on disk, so that a job that was cut off goes on where it ended."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from explainability.models import Explanation


class KeptParts(MutableMapping[str, NDArray[Any]]):
    """Arrays by name in one folder; each is written whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def _file(self, name: str) -> Path:
        return self.folder / f"{name.replace(':', '_')}.npy"

    def __getitem__(self, name: str) -> NDArray[Any]:
        try:
            found: NDArray[Any] = np.load(self._file(name), allow_pickle=False)
        except FileNotFoundError as error:
            raise KeyError(name) from error
        return found

    def __setitem__(self, name: str, values: NDArray[Any]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        scratch = self._file(name).with_suffix(".part.npy")
        np.save(scratch, values, allow_pickle=False)
        scratch.replace(self._file(name))

    def __contains__(self, name: object) -> bool:
        return self._file(str(name)).is_file()

    def __delitem__(self, name: str) -> None:
        self._file(name).unlink()

    def __iter__(self) -> Iterator[str]:
        return (file.stem for file in sorted(self.folder.glob("*.npy")) if ".part" not in file.name)

    def __len__(self) -> int:
        return sum(1 for _ in self)


@contextmanager
def kept_parts(explanation: Explanation) -> Iterator[KeptParts]:
    """Parts of ``explanation``; removed once the block ends well, kept when it is cut off."""
    folder = Path(settings.ARTEFACT_DIR) / "parts" / str(explanation.pk)
    yield KeptParts(folder)
    shutil.rmtree(folder, ignore_errors=True)
