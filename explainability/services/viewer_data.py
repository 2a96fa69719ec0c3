"""Images and maps as the viewer reads them: whole numbers of 16 bits with a slope, row by row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assurance.models import CaseFile
from assurance.services.artefacts import read_artefact
from explainability.case_images import CaseImage, read_case_image, read_mask
from explainability.models import Explanation
from explainability.services.case_inputs import with_spacing
from explainability.services.map_files import unpack_map


@dataclass(frozen=True)
class Layer:
    """``content`` is little-endian; value = number × ``slope`` + ``offset``. ``shape`` is (slices, rows, columns)."""

    content: bytes
    kind: str
    slope: float
    offset: float
    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float] | None

    def headers(self) -> dict[str, str]:
        spacing = ",".join(f"{step:g}" for step in self.spacing_mm) if self.spacing_mm else ""
        return {
            "X-Kind": self.kind, "X-Slope": repr(self.slope), "X-Offset": repr(self.offset),
            "X-Shape": ",".join(map(str, self.shape)), "X-Spacing": spacing,
        }  # fmt: skip


def case_image(file: CaseFile) -> CaseImage:
    return with_spacing(read_case_image(read_artefact(file.artefact)), file.facts)


def image_layer(image: CaseImage) -> Layer:
    pixels = image.pixels
    if pixels.ndim == 3 and not image.is_volume:
        pixels = pixels[..., :3].mean(axis=2)
    return _quantised(pixels, image)


def map_layer(explanation: Explanation, image: CaseImage) -> Layer:
    if explanation.map_file is None:
        raise ValueError("an explanation without a map has no layer")
    return _quantised(unpack_map(read_artefact(explanation.map_file))[0], image, around_zero=True)


def mask_layer(inside: NDArray[np.bool_], image: CaseImage) -> Layer:
    planes = _planes(inside, image)
    return Layer(planes.astype(np.uint8).tobytes(), "uint8", 1.0, 0.0, _shape(planes), _spacing(image))


def truth_mask(file: CaseFile, image: CaseImage) -> NDArray[np.bool_]:
    shape = image.pixels.shape if image.is_volume else image.pixels.shape[:2]
    return read_mask(read_artefact(file.artefact), shape=shape)


def predicted_mask(explanation: Explanation) -> NDArray[np.bool_] | None:
    return unpack_map(read_artefact(explanation.map_file))[1] if explanation.map_file else None


def _quantised(values: NDArray[Any], image: CaseImage, *, around_zero: bool = False) -> Layer:
    planes = _planes(np.asarray(values, dtype=np.float32), image)
    if around_zero:
        slope, offset = float(np.abs(planes).max()) / 32767 or 1.0, 0.0
    else:
        low, high = float(planes.min()), float(planes.max())
        slope, offset = (high - low) / 65534 or 1.0, (high + low) / 2
    numbers = np.clip(np.rint((planes - offset) / slope), -32767, 32767).astype("<i2")
    return Layer(numbers.tobytes(), "int16", slope, offset, _shape(planes), _spacing(image))


def _planes(values: NDArray[Any], image: CaseImage) -> NDArray[Any]:
    """(slices, rows, columns): feet to head, front to back, right to left, as radiologists look at slices."""
    if values.ndim == 2:
        return values[None]
    if not image.axes:
        return values
    return np.ascontiguousarray(_turned(values, image.axes, "SPL"))


def _turned(values: NDArray[Any], start: str, end: str) -> NDArray[Any]:
    from assurance.adapters.images import turn

    order, flips = turn(start, end)
    moved = np.transpose(values, order)
    return np.flip(moved, tuple(axis for axis, flip in enumerate(flips) if flip))


def _spacing(image: CaseImage) -> tuple[float, float, float] | None:
    if image.spacing_mm is None:
        return None
    if len(image.spacing_mm) == 2:
        return (1.0, *image.spacing_mm)  # type: ignore[return-value]
    if not image.axes:
        return tuple(image.spacing_mm)  # type: ignore[return-value]
    from assurance.adapters.images import turn

    order, _ = turn(image.axes, "SPL")
    return tuple(image.spacing_mm[axis] for axis in order)  # type: ignore[return-value]


def _shape(planes: NDArray[Any]) -> tuple[int, int, int]:
    return int(planes.shape[0]), int(planes.shape[1]), int(planes.shape[2])
