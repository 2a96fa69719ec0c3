"""Deliveries on disk: complete or not there, sent oldest first, each under a name that stays its key for ever."""

from __future__ import annotations

import gzip
import json
import os
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class Spool:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.refused = folder / "refused"
        self.refused.mkdir(parents=True, exist_ok=True)

    def put(self, kind: str, rows: list[dict[str, Any]]) -> Path:
        """Write one delivery so that a crash leaves it whole or not at all."""
        name = f"{time.time_ns():020d}-{kind}-{uuid.uuid4().hex}.ndjson.gz"
        content = "\n".join(json.dumps(row, default=_plain, allow_nan=False) for row in rows).encode()
        part = self.folder / f"{name}.part"
        with part.open("wb") as file:
            file.write(gzip.compress(content, 5, mtime=0))
            file.flush()
            os.fsync(file.fileno())
        return part.rename(self.folder / name)

    def waiting(self) -> list[Path]:
        return sorted(self.folder.glob("*.ndjson.gz"))

    def set_aside(self, path: Path, why: str) -> None:
        target = path.rename(self.refused / path.name)
        target.with_name(f"{target.name}.txt").write_text(why + "\n")


def kind_of(path: Path) -> str:
    return path.name.split("-")[1]


def key_of(path: Path) -> str:
    return path.name.split("-")[2].partition(".")[0]


def records(rows: Any) -> list[dict[str, Any]]:
    """A list of dicts from a DataFrame, a list or any iterable of mappings; NaN and NaT become null."""
    if hasattr(rows, "to_dict"):
        rows = rows.to_dict(orient="records")
    return [{str(name): _clean(value) for name, value in dict(row).items()} for row in rows]


def _clean(value: Any) -> Any:
    if isinstance(value, float) and value != value:
        return None
    if type(value).__name__ in ("NaTType", "NAType"):
        return None
    return value


def _plain(value: Any) -> Any:
    """Times in ISO 8601, numbers and arrays of numpy and torch as Python's own."""
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} {value!r} cannot be sent: give text, numbers, times or lists of numbers")


def parts(rows: list[dict[str, Any]], most: int) -> Iterator[list[dict[str, Any]]]:
    for start in range(0, len(rows), most):
        yield rows[start : start + most]
