"""What stands around a map so that it can be read: the model's boxes, the landmark, the displacement, the warped image.

Segmentations and classifications need none of it; registrations and localizations cost one more prediction.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assurance.adapters.protocol import Pair, Volume
from explainability.attribution.question import Question

FIELD_SIDE = 40
"""Arrows along the longest side of the stored displacement; the field itself is smooth."""

Box = tuple[tuple[float, ...], tuple[float, ...]]


@dataclass(frozen=True)
class Surroundings:
    """Places in voxels along the array axes of the image that the map lies on, named by ``axes``.

    ``layers`` are arrays on that image; ``displacement`` (3, a, b, c) in mm is kept every ``stride`` voxels.
    """

    axes: str = ""
    boxes: Mapping[str, Box] = field(default_factory=dict)
    landmark: tuple[int, ...] = ()
    layers: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    displacement: NDArray[np.float32] | None = None
    stride: int = 1
    region: NDArray[np.bool_] | None = None
    region_name: str = ""

    def arrays(self) -> dict[str, NDArray[Any]]:
        return {**self.layers, **({"displacement": self.displacement} if self.displacement is not None else {})}

    def facts(self) -> dict[str, Any]:
        found: dict[str, Any] = {"axes": self.axes}
        if self.boxes:
            found["boxes"] = {name: [list(map(float, corner)) for corner in box] for name, box in self.boxes.items()}
        if self.landmark:
            found["landmark"] = list(self.landmark)
        if self.displacement is not None:
            found["displacement_stride"] = self.stride
        return found


def surroundings(asked: Question, *, progress: Callable[[str], None]) -> Surroundings:
    """Of one question; empty for tasks that have none."""
    image = asked.image
    axes = image.fixed.axes if isinstance(image, Pair) else image.axes if isinstance(image, Volume) else ""
    if asked.model.task == "registration":
        progress("whole displacement")
        return _of_registration(asked, axes)
    if asked.model.task == "localization":
        progress("boxes")
        return _of_localization(asked, axes)
    return Surroundings(axes=axes)


def _of_registration(asked: Question, axes: str) -> Surroundings:
    predicted = asked.model.predict(asked.image)
    whole = predicted.displacement_mm
    if whole is None or predicted.warped is None:
        return Surroundings(axes=axes, landmark=getattr(asked, "landmark", ()))
    stride = max(1, -(-max(whole.shape[1:]) // FIELD_SIDE))
    moving = asked.image.moving.turned(axes) if asked.image.moving.axes != axes else asked.image.moving
    return Surroundings(
        axes=axes, landmark=tuple(getattr(asked, "landmark", ())),
        layers={"warped": predicted.warped, "moving": np.asarray(moving.array, dtype=np.float32)},
        displacement=np.ascontiguousarray(whole[:, ::stride, ::stride, ::stride]).astype(np.float32), stride=stride,
    )  # fmt: skip


def _of_localization(asked: Question, axes: str) -> Surroundings:
    boxes = dict(asked.model.predict(asked.image).boxes)
    classes = asked.model.contract.classes
    name = next((each for each in boxes if classes[asked.index].startswith(f"{each} ")), "")
    region = box_mask(boxes[name], tuple(asked.shape)) if name else None
    if region is not None and not region.any():
        region = None
    return Surroundings(
        axes=axes, boxes=boxes, region=region, region_name=f"the predicted box of {name}" if region is not None else ""
    )


def box_mask(box: Box, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Voxels whose centre lies in ``box`` (low and high corner in voxels, both inside)."""
    inside = np.ones(shape, dtype=bool)
    for axis, (low, high, side) in enumerate(zip(*box, shape, strict=True)):
        places = np.arange(side)
        along = (places >= low) & (places <= high)
        inside &= along.reshape(-1, *(1,) * (len(shape) - 1 - axis))
    return inside
