"""What every attribution method returns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assurance.evidence.errors import NotComputable
from assurance.evidence.finding import Method

VERSION = "1"
Plane = NDArray[np.float32]


@dataclass(frozen=True)
class Attribution:
    """A map over the pixels of the given image, with what is needed to repeat and judge it.

    ``values`` (H, W) or (D, H, W) lie on the image, ``grid_values`` on the network's input, where completeness holds.
    ``signed`` maps say which pixels raise (> 0) and which lower the target; unsigned ones only where it looks.
    ``f_x`` is the target at the image and ``f_baseline`` at the baseline, both in ``target_unit``.
    ``extras`` holds what a method says besides its map (Dice by jittered prompt, a map by token), plain values only;
    ``layers`` holds further arrays on the image (the picture that was drawn, the warped volume).
    """

    values: Plane
    grid_values: Plane
    method: Method
    target: str
    unit: str
    signed: bool
    f_x: float
    baseline: str = ""
    layer: str = ""
    f_baseline: float | None = None
    completeness_error: float | None = None
    target_unit: str = "logit"
    extras: dict[str, Any] = field(default_factory=dict)
    layers: dict[str, NDArray[Any]] = field(default_factory=dict)


def not_zero(grid: Plane, *, key: str) -> None:
    """A map of zeros says nothing and must not look like an answer."""
    if not np.isfinite(grid).all():
        raise NotComputable("not_finite", f"{key} gave values that are not finite: there is no map")
    if not grid.any():
        raise NotComputable("zero_map", f"{key} gave a map that is zero everywhere: there is no map")
