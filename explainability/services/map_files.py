"""A map on disk: float16 values over one scale, so that no value overflows, with what they mean beside them."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explainability.attribution.attribution import Attribution

MEDIA_TYPE = "application/x-npz"


def pack_map(attribution: Attribution, *, mask: NDArray[np.bool_] | None, facts: Mapping[str, Any]) -> bytes:
    """NumPy archive of ``values`` and ``grid_values`` (float16, in units of ``scale``), ``mask`` and ``facts`` (JSON).

    The same map gives the same bytes.
    """
    arrays: dict[str, NDArray[Any]] = {}
    for name, values in (("values", attribution.values), ("grid_values", attribution.grid_values)):
        scale = float(np.abs(values).max()) or 1.0
        arrays[name] = (values / scale).astype(np.float16)
        arrays[f"{name}_scale"] = np.array([scale], dtype=np.float32)
    if mask is not None:
        arrays["mask"] = np.packbits(mask)
    arrays["facts"] = np.frombuffer(json.dumps(dict(facts), sort_keys=True, default=str).encode(), dtype=np.uint8)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def unpack_map(content: bytes) -> tuple[NDArray[np.float32], NDArray[np.bool_] | None, dict[str, Any]]:
    """``values`` in the unit of the map, the predicted mask where there is one, and the facts."""
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        values = archive["values"].astype(np.float32) * archive["values_scale"][0]
        mask = None
        if "mask" in archive:
            mask = np.unpackbits(archive["mask"], count=values.size).astype(bool).reshape(values.shape)
        return values, mask, json.loads(archive["facts"].tobytes())
