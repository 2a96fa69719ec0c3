"""What a model is asked, besides the image: a box, points, a text, an organ mask, a class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assurance.evidence.errors import InvalidInput

LONGEST_TEXT = 2000


@dataclass(frozen=True, slots=True, eq=False)
class Prompt:
    """Where and for what a model looks.

    ``box`` is (x0, y0, x1, y1) and ``points`` are (x, y), in pixels of the given image, x to the right; a point's entry
    in ``point_labels`` is 1 for the structure and 0 for what lies outside it. ``text`` is what a generator shall draw,
    ``mask`` marks the organ in the given volume, ``label`` is a class of a class-conditional generator.
    """

    box: tuple[float, float, float, float] | None = None
    points: tuple[tuple[float, float], ...] = ()
    point_labels: tuple[int, ...] = ()
    text: str = ""
    mask: NDArray[Any] | None = None
    label: str = ""

    def checked(self, *, height: int, width: int) -> tuple[float, float, float, float]:
        """The box, refused when it is missing, empty or outside the image."""
        if self.box is None:
            raise InvalidInput("prompt_missing", "this model needs a box prompt: give (x0, y0, x1, y1) in pixels")
        x0, y0, x1, y1 = (float(edge) for edge in self.box)
        if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height):
            raise InvalidInput(
                "prompt_outside", f"box {(x0, y0, x1, y1)} does not lie inside the image of {width} × {height} pixels"
            )
        return x0, y0, x1, y1

    def checked_points(self, *, height: int, width: int) -> tuple[tuple[tuple[float, float], ...], tuple[int, ...]]:
        """Points and their labels (1 where none are given), refused outside the image."""
        labels = self.point_labels or (1,) * len(self.points)
        if len(labels) != len(self.points) or not set(labels) <= {0, 1}:
            raise InvalidInput(
                "prompt_labels", f"point_labels {labels}: give a 0 or 1 for each of {len(self.points)} points"
            )
        for x, y in self.points:
            if not (0 <= x <= width and 0 <= y <= height):
                raise InvalidInput(
                    "prompt_outside", f"point {(x, y)} does not lie inside the image of {width} × {height} pixels"
                )
        return tuple((float(x), float(y)) for x, y in self.points), tuple(int(label) for label in labels)

    def checked_text(self) -> str:
        text = " ".join(self.text.split())
        if not text:
            raise InvalidInput(
                "prompt_missing", "this model draws from a text: give one, such as 'right pleural effusion'"
            )
        if len(text) > LONGEST_TEXT:
            raise InvalidInput("prompt_long", f"the text has {len(text)} characters: at most {LONGEST_TEXT}")
        return text

    def checked_mask(self, shape: tuple[int, ...]) -> NDArray[np.bool_]:
        """The organ mask, refused when it is missing, empty or of another shape than the volume."""
        if self.mask is None:
            raise InvalidInput("prompt_missing", "this model needs an organ mask of the volume's shape")
        mask = np.asarray(self.mask)
        if mask.shape != shape:
            raise InvalidInput(
                "bad_shape", f"the organ mask has shape {mask.shape}, the volume {shape}: give both alike"
            )
        inside = np.asarray(mask > 0)
        if not inside.any():
            raise InvalidInput("empty_mask", "the organ mask marks no voxel: give a mask with the organ in it")
        return inside
