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


def pack_map(
    attribution: Attribution, *, mask: NDArray[np.bool_] | None, facts: Mapping[str, Any],
    around: Mapping[str, NDArray[Any]] | None = None,
) -> bytes:  # fmt: skip
    """NumPy archive of ``values`` and ``grid_values`` (float16, in units of ``scale``), ``mask`` and ``facts`` (JSON).

    Further layers (those of the attribution and ``around``) are kept beside them. The same map gives the same bytes.
    """
    arrays: dict[str, NDArray[Any]] = {}
    for name, values in (("values", attribution.values), ("grid_values", attribution.grid_values)):
        scale = float(np.abs(values).max()) or 1.0
        arrays[name] = (values / scale).astype(np.float16)
        arrays[f"{name}_scale"] = np.array([scale], dtype=np.float32)
    if mask is not None:
        arrays["mask"] = np.packbits(mask)
    for name, layer in {**attribution.layers, **(around or {})}.items():
        if layer.dtype == bool:
            arrays[f"layer_{name}"] = layer
            continue
        low, high = float(layer.min()), float(layer.max())
        scale = max(high - low, 1e-12)
        arrays[f"layer_{name}"] = np.rint((layer - low) / scale * 65535).astype(np.uint16)
        arrays[f"layer_{name}_range"] = np.array([low, scale], dtype=np.float64)
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


def unpack_layer(content: bytes, name: str) -> NDArray[Any] | None:
    """A further layer of a map by its name (``drawn``, ``warped``, ``displacement`` ...), or None where it has none."""
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        if f"layer_{name}" not in archive:
            return None
        layer: NDArray[Any] = archive[f"layer_{name}"]
        if layer.dtype == bool:
            return layer
        low, scale = archive[f"layer_{name}_range"]
        return (layer.astype(np.float64) / 65535 * scale + low).astype(np.float32)
