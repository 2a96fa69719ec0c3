"""One spelling for every record, so that the same content always has the same SHA-256."""

import hashlib
import json
import math
from collections.abc import Mapping
from datetime import date, datetime
from enum import Enum
from typing import Any
from uuid import UUID


def canonical_json(content: Any) -> bytes:
    """Encode ``content`` as UTF-8 JSON with sorted keys, no spaces and shortest round-trip numbers.

    Times become ISO 8601, enumerations their value, tuples lists. NaN and infinity have no JSON spelling and are
    refused with ``ValueError``: a missing value is ``None`` with a reason beside it.
    """
    plain = _plain(content)
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def content_hash(content: Any) -> str:
    """SHA-256 of :func:`canonical_json`, 64 hexadecimal digits."""
    return hashlib.sha256(canonical_json(content)).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return _plain(value.value)
    if value is None or isinstance(value, bool | str | int):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value} has no JSON spelling: store null and a reason")
        return value
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        items = sorted(value) if isinstance(value, set | frozenset) else value
        return [_plain(item) for item in items]
    if hasattr(value, "item"):  # numpy scalars
        return _plain(value.item())
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    raise ValueError(f"{type(value).__name__} has no canonical spelling: give plain values")
