"""What weights alone do not say: the task, the classes and how an image becomes the network's input.

Generic adapters read it from ``<weights>.json``; adapters of one published model know it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from assurance.adapters.images import Array
from assurance.adapters.weights_files import read_json
from assurance.evidence.errors import InvalidInput

WHAT = "the description of the weights: task, classes, size, scale"
SCALES = ("none", "bytes", "minmax", "window", "quantiles")
TASKS = ("classification", "segmentation")
ACTIVATIONS = ("softmax", "sigmoid", "none")


@dataclass(frozen=True)
class Description:
    """``size`` (h, w) or (d, h, w) of the network's input, empty to keep the image's and pad it to ``multiple_of``.

    ``scale`` is ``none``, ``bytes`` (0..255 to 0..1, refused outside), ``minmax`` (to 0..1), ``window`` (``low`` and
    ``high`` in the image's unit to 0..1, cut off) or ``quantiles`` (the same with quantiles of the image); then
    (x − ``mean``) / ``sd``. ``spacing_mm`` and ``axes`` are of the network's grid. Overlapping classes have the
    activation ``sigmoid``; ``none`` is for networks that give probabilities themselves. Images larger than ``tile``
    (h, w) or (d, h, w) are answered in overlapping windows of that size.
    """

    task: str
    classes: tuple[str, ...]
    dims: int = 2
    channels: int = 1
    size: tuple[int, ...] = ()
    multiple_of: int = 1
    spacing_mm: tuple[float, ...] = ()
    axes: str = "RAS"
    scale: str = "minmax"
    low: float = 0.0
    high: float = 1.0
    mean: tuple[float, ...] = (0.0,)
    sd: tuple[float, ...] = (1.0,)
    activation: str = "softmax"
    tile: tuple[int, ...] = ()
    channels_last: bool = False
    licence: str = "by its weights"
    source: str = "given by its user"
    kwargs: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        allowed: tuple[tuple[str, Any, tuple[Any, ...]], ...] = (
            ("task", self.task, TASKS),
            ("dims", self.dims, (2, 3)),
            ("channels", self.channels, (1, 3)),
            ("scale", self.scale, SCALES),
            ("activation", self.activation, ACTIVATIONS),
        )
        for name, value, choices in allowed:
            if value not in choices:
                raise InvalidInput("bad_description", f"{name} {value!r}: give one of {', '.join(map(str, choices))}")
        if not self.classes:
            raise InvalidInput("bad_description", "classes is empty: name the network's outputs in their order")
        if self.size and (len(self.size) != self.dims or min(self.size) < 8):
            raise InvalidInput("bad_description", f"size {list(self.size)}: give {self.dims} numbers, each 8 or more")
        if self.tile and (
            self.task != "segmentation" or len(self.tile) != self.dims or min(self.tile) < 16
            or any(side % self.multiple_of for side in self.tile)
        ):  # fmt: skip
            raise InvalidInput(
                "bad_description",
                f"tile {list(self.tile)}: give {self.dims} numbers of 16 or more, multiples of {self.multiple_of}, "
                "for a segmentation",
            )
        if self.spacing_mm and len(self.spacing_mm) != self.dims:
            raise InvalidInput("bad_description", f"spacing_mm {list(self.spacing_mm)}: give {self.dims} numbers in mm")
        if {len(self.mean), len(self.sd)} - {1, self.channels} or not all(self.sd):
            raise InvalidInput("bad_description", f"mean and sd: give one number, or {self.channels}, and no sd of 0")
        if self.scale in ("window", "quantiles") and not self.low < self.high:
            raise InvalidInput("bad_description", f"low {self.low:g} and high {self.high:g}: low must be the smaller")

    def scaled(self, values: Array) -> Array:
        """Image values on the scale of the network, before mean and sd."""
        if self.scale == "none":
            return values
        if self.scale == "bytes":
            if values.min() < 0 or values.max() > 255:
                span = f"{values.min():g}..{values.max():g}"
                raise InvalidInput("out_of_range", f"image values lie in {span}: give 8-bit grey values 0..255")
            return values / np.float32(255)
        if self.scale == "minmax":
            low, high = float(values.min()), float(values.max())
        elif self.scale == "window":
            low, high = self.low, self.high
        else:
            low, high = (float(value) for value in np.quantile(values, [self.low, self.high]))
        if high <= low:
            raise InvalidInput(
                "flat_image", f"the image's values lie in {low:g}..{high:g} after its quantiles: nothing to see"
            )
        unit: Array = (values - low) / (high - low)
        return unit if self.scale == "minmax" else np.clip(unit, 0, 1)

    def sentence(self) -> str:
        scale = {
            "none": "values as they are",
            "bytes": "8-bit values to 0..1",
            "minmax": "scaled to 0..1 by its own minimum and maximum",
            "window": f"{self.low:g}..{self.high:g} to 0..1, cut off outside",
            "quantiles": f"its quantiles {self.low:g} and {self.high:g} to 0..1, cut off outside",
        }[self.scale]
        what = "grey image (H, W)" if self.dims == 2 else f"volume with spacing in mm, turned to {self.axes}"
        spacing = f", resampled to {' × '.join(f'{step:g}' for step in self.spacing_mm)} mm" if self.spacing_mm else ""
        size = f", resized to {' × '.join(map(str, self.size))}" if self.size else ""
        norm = "" if self.mean == (0.0,) and self.sd == (1.0,) else f", (x − {_list(self.mean)}) / {_list(self.sd)}"
        return f"{what}{spacing}{size}; {scale}{norm}"


def _list(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def read_description(weights: Path) -> Description:
    """``<weights>.json`` beside the weights.

    Raises
    ------
    InvalidInput
        ``no_description`` or ``bad_description``, naming the field.
    """
    return description_of(read_json(weights.with_suffix(".json"), what=WHAT), where=weights.with_suffix(".json"))


def description_of(content: dict[str, Any], *, where: Path) -> Description:
    known = Description.__dataclass_fields__
    unknown = sorted(set(content) - set(known))
    if unknown:
        raise InvalidInput("bad_description", f"{where} has the field {unknown[0]!r}: it may have {', '.join(known)}")
    missing = {"task", "classes"} - set(content)
    if missing:
        raise InvalidInput("bad_description", f"{where} lacks {' and '.join(sorted(missing))}")
    fields: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in content.items()
    }
    for name in ("mean", "sd"):
        if isinstance(fields.get(name), int | float):
            fields[name] = (float(fields[name]),)
    try:
        return Description(**fields)
    except TypeError as error:
        raise InvalidInput("bad_description", f"{where}: {error}") from error
