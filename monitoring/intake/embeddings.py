"""Embeddings as one matrix of half floats: from numbered columns, a list column, or base64 of little-endian float16."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from monitoring.intake.cells import mask, numbers
from monitoring.intake.sieve import Sieve

WIDEST = 16_384


def embeddings(values: Mapping[str, pa.Array], n: int, sieve: Sieve) -> NDArray[np.float16] | None:
    """(n, width) with NaN rows where a case has none; rows of another width than the first are refused."""
    names = [name for name in values if name.startswith("emb_") and name[4:].isdigit()]
    if names:
        names.sort(key=lambda name: int(name[4:]))
        columns = []
        for name in names:
            column, words = numbers(values[name])
            sieve.refuse(words, name, "not_numeric", f"{name} is not a number", values=values[name])
            columns.append(column)
        return np.column_stack(columns).astype(np.float16)
    array = values.get("embedding")
    if array is None or not n:
        return None
    if pa.types.is_string(array.type):
        return _from_base64(array, sieve)
    if pa.types.is_list(array.type) or pa.types.is_large_list(array.type) or pa.types.is_fixed_size_list(array.type):
        return _from_lists(array, sieve)
    return None


def _from_lists(array: pa.Array, sieve: Sieve) -> NDArray[np.float16] | None:
    if not (pa.types.is_floating(array.type.value_type) or pa.types.is_integer(array.type.value_type)):
        sieve.refuse(mask(array.is_valid()), "embedding", "not_numeric", "embedding is not a list of numbers")
        return None
    lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False).astype(np.int64)
    filled = np.flatnonzero(lengths)
    if not filled.size:
        return None
    width = int(lengths[filled[0]])
    good = _of_width(lengths, width, sieve)
    found = np.full((len(array), width), np.nan, dtype=np.float16)
    flat = pc.list_flatten(array.filter(pa.array(good))).cast(pa.float32(), safe=False)
    with np.errstate(over="ignore"):
        found[good] = flat.to_numpy(zero_copy_only=False).reshape(-1, width)
    return found


def _from_base64(array: pa.Array, sieve: Sieve) -> NDArray[np.float16] | None:
    parts = [_decoded(text) for text in array.to_pylist()]
    broken = np.array([part is None for part in parts], dtype=bool) & mask(array.is_valid())
    sieve.refuse(broken, "embedding", "unreadable", "embedding is not base64 of little-endian float16 numbers")
    lengths = np.array([len(part or b"") // 2 for part in parts], dtype=np.int64)
    filled = np.flatnonzero(lengths)
    if not filled.size:
        return None
    width = int(lengths[filled[0]])
    good = _of_width(lengths, width, sieve)
    found = np.full((len(array), width), np.nan, dtype=np.float16)
    joined = b"".join(part for part, fits in zip(parts, good, strict=True) if fits and part)
    found[good] = np.frombuffer(joined, dtype="<f2").reshape(-1, width)
    return found


def _of_width(lengths: NDArray[np.int64], width: int, sieve: Sieve) -> NDArray[np.bool_]:
    wrong = (lengths != width) & (lengths > 0) | (lengths > WIDEST)
    sieve.refuse(
        wrong, "embedding", "other_width", lambda value: f"embedding has {value} numbers, the first one has {width}",
        values=lengths,
    )  # fmt: skip
    fits: NDArray[np.bool_] = (lengths == width) & ~wrong
    return fits


def _decoded(text: str | None) -> bytes | None:
    if text is None:
        return None
    try:
        part = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return part if len(part) % 2 == 0 else None
