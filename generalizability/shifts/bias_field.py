"""Slow changes of brightness over an MR image, as receive coils make them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from generalizability.shifts.frame import Image, image_frame, level_for
from generalizability.shifts.severity_levels import COEFFICIENTS

ORDER = 3


def bias_field(
    image: ArrayLike, *, severity: int, seed: int = 0, value_range: Sequence[float] | None = None
) -> NDArray[Any]:
    """Multiply by exp of a polynomial of order 3 with coefficients drawn from ±0.1 … ±0.5 by severity.

    The field is that of :func:`polynomial_field`; its geometric mean is 1, so that overall brightness stays.

    References
    ----------
    Van Leemput et al. (1999), IEEE TMI 18:885. Pérez-García, Sparks & Ourselin (2021), TorchIO.
    """
    frame = image_frame(image, value_range=value_range)
    field = polynomial_field(
        frame.values.shape, size=level_for(COEFFICIENTS, severity), rng=np.random.default_rng(seed)
    )
    return frame.back(frame.values * field)


def polynomial_field(shape: tuple[int, ...], *, size: float, rng: np.random.Generator) -> Image:
    """exp(Σ c·x^i y^j z^k) with 1 ≤ i+j+k ≤ 3 over coordinates −1..1, c uniform in ±``size``; geometric mean 1."""
    axes = np.meshgrid(*[np.linspace(-1, 1, length) for length in shape], indexing="ij", sparse=True)
    exponent = np.zeros(shape)
    for powers in product(range(ORDER + 1), repeat=len(shape)):
        if 0 < sum(powers) <= ORDER:
            term: Any = rng.uniform(-1, 1) * size
            for axis, power in zip(axes, powers, strict=True):
                term = term * axis**power
            exponent = exponent + term
    return np.asarray(np.exp(exponent - exponent.mean()))
