"""Images and maps as the viewer reads them: whole numbers of 16 bits with a slope, row by row."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assurance.models import CaseFile
from assurance.services.artefacts import read_artefact
from explainability.case_images import CaseImage, read_case_image, read_mask
from explainability.models import Explanation
from explainability.services.case_inputs import fixed_of, with_spacing
from explainability.services.map_files import unpack_layer, unpack_map

VIEW = "SPL"
MAP_LAYERS = (
    "map", "mask", "base", "moving", "warped", "displacement", "without", "organ", "organ_changed", "lesion",
)  # fmt: skip


@dataclass(frozen=True)
class Layer:
    """``content`` is little-endian; value = number × ``slope`` + ``offset``. ``shape`` is (slices, rows, columns).

    ``turn`` says how these axes come from those of the file: their order, which of them run backwards, and the file's
    shape. A ``field`` has three numbers for each place, in mm along slices, rows and columns, at ``start`` + n ×
    ``stride`` voxels. ``oriented`` says that the sides of the body are known.
    """

    content: bytes
    kind: str
    slope: float
    offset: float
    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float] | None
    turn: tuple[tuple[int, ...], tuple[bool, ...], tuple[int, ...]] = ((0, 1, 2), (False,) * 3, (0, 0, 0))
    start: tuple[int, ...] = (0, 0, 0)
    stride: int = 1
    oriented: bool = False

    def headers(self) -> dict[str, str]:
        spacing = ",".join(f"{step:g}" for step in self.spacing_mm) if self.spacing_mm else ""
        order, flips, shape = self.turn
        return {
            "X-Kind": self.kind, "X-Slope": repr(self.slope), "X-Offset": repr(self.offset),
            "X-Shape": ",".join(map(str, self.shape)), "X-Spacing": spacing,
            "X-Turn": ";".join(",".join(str(int(each)) for each in part) for part in (order, flips, shape)),
            "X-Start": ",".join(map(str, self.start)), "X-Stride": str(self.stride),
            "X-Oriented": str(int(self.oriented)),
        }  # fmt: skip


def case_image(file: CaseFile) -> CaseImage:
    return with_spacing(read_case_image(read_artefact(file.artefact)), file.facts)


def frame_of(explanation: Explanation, file: CaseFile) -> CaseImage:
    """The image that a map lies on: the fixed volume of a registration, the image that a generator drew, or the case's.

    Raises
    ------
    InvalidInput
        What reading the case's files refuses.
    """
    fixed = fixed_of(file) if file.facts.get("fixed") else None
    image = fixed or case_image(file)
    drawn = unpack_layer(read_artefact(explanation.map_file), "drawn") if explanation.map_file else None
    if drawn is None:
        return image
    return replace(image, pixels=drawn) if drawn.ndim == 3 else CaseImage(drawn, unit="grey value 0..1")


def explanation_layer(explanation: Explanation, file: CaseFile, kind: str) -> Layer | None:
    """One of :data:`MAP_LAYERS`, or None where this map has none of that name."""
    if explanation.map_file is None:
        return None
    frame = frame_of(explanation, file)
    if kind == "base":
        return image_layer(frame)
    content = read_artefact(explanation.map_file)
    if kind in ("map", "mask"):
        values, inside, _ = unpack_map(content)
        if kind == "map":
            return _quantised(values, frame, around_zero=True)
        return None if inside is None else mask_layer(inside, frame)
    found = unpack_layer(content, kind)
    if found is None:
        return None
    if kind == "displacement":
        return field_layer(found, frame, stride=int(explanation.facts["displacement_stride"]))
    return mask_layer(found, frame) if found.dtype == bool else _quantised(found, frame)


def image_layer(image: CaseImage) -> Layer:
    pixels = image.pixels
    if pixels.ndim == 3 and not image.is_volume:
        pixels = pixels[..., :3].mean(axis=2)
    return _quantised(pixels, image)


def mask_layer(inside: NDArray[np.bool_], image: CaseImage) -> Layer:
    planes = _planes(inside, image)
    return _layer(planes.astype(np.uint8).tobytes(), "uint8", 1.0, 0.0, planes, image)


def field_layer(field: NDArray[np.float32], image: CaseImage, *, stride: int) -> Layer:
    """A displacement (3, a, b, c) in mm along the file's axes, kept every ``stride`` voxels, along the viewer's."""
    order, flips, shape = _turn(image)
    parts = [
        (-1 if flip else 1) * (_turned(field[axis], image.axes, VIEW) if image.axes else field[axis])
        for axis, flip in zip(order, flips, strict=True)
    ]
    whole = np.stack(parts, axis=-1)
    slope = float(np.abs(whole).max()) / 32767 or 1.0
    numbers = np.rint(whole / slope).astype("<i2")
    start = tuple(
        shape[axis] - 1 - (field.shape[1 + axis] - 1) * stride if flip else 0
        for axis, flip in zip(order, flips, strict=True)
    )
    return replace(_layer(numbers.tobytes(), "field", slope, 0.0, whole, image), start=start, stride=stride)


def truth_mask(file: CaseFile, image: CaseImage) -> NDArray[np.bool_]:
    shape = image.pixels.shape if image.is_volume else image.pixels.shape[:2]
    return read_mask(read_artefact(file.artefact), shape=shape)


def _quantised(values: NDArray[Any], image: CaseImage, *, around_zero: bool = False) -> Layer:
    planes = _planes(np.asarray(values, dtype=np.float32), image)
    if around_zero:
        slope, offset = float(np.abs(planes).max()) / 32767 or 1.0, 0.0
    else:
        low, high = float(planes.min()), float(planes.max())
        slope, offset = (high - low) / 65534 or 1.0, (high + low) / 2
    numbers = np.clip(np.rint((planes - offset) / slope), -32767, 32767).astype("<i2")
    return _layer(numbers.tobytes(), "int16", slope, offset, planes, image)


def _layer(content: bytes, kind: str, slope: float, offset: float, planes: NDArray[Any], image: CaseImage) -> Layer:
    oriented = image.is_volume and bool(image.axes)
    return Layer(content, kind, slope, offset, _shape(planes), _spacing(image), _turn(image), oriented=oriented)


def _turn(image: CaseImage) -> tuple[tuple[int, ...], tuple[bool, ...], tuple[int, ...]]:
    if not image.is_volume:
        return (0, 1, 2), (False, False, False), (1, *image.pixels.shape[:2])
    if not image.axes:
        return (0, 1, 2), (False, False, False), image.pixels.shape
    from assurance.adapters.images import turn

    order, flips = turn(image.axes, VIEW)
    return order, flips, image.pixels.shape


def _planes(values: NDArray[Any], image: CaseImage) -> NDArray[Any]:
    """(slices, rows, columns): feet to head, front to back, right to left, as radiologists look at slices."""
    if values.ndim == 2:
        return values[None]
    if not image.axes:
        return values
    return np.ascontiguousarray(_turned(values, image.axes, VIEW))


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

    order, _ = turn(image.axes, VIEW)
    return tuple(image.spacing_mm[axis] for axis in order)  # type: ignore[return-value]


def _shape(planes: NDArray[Any]) -> tuple[int, int, int]:
    return int(planes.shape[0]), int(planes.shape[1]), int(planes.shape[2])
