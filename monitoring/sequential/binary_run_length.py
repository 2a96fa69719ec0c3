"""Average run lengths of CUSUMs of yes/no outcomes, by Markov chain over a fine grid of the sum."""

from __future__ import annotations

import numpy as np
from scipy import linalg

from monitoring.sequential.result import Vector
from monitoring.sequential.run_length import solved

CELLS = 600


def binary_cusum_arl(
    chances: Vector, if_yes: Vector, if_no: Vector, h: float, *, weights: Vector | None = None
) -> float:
    """Expected cases until max(0, S + step) reaches h, from 0.

    ``chances`` (g,) are P(outcome = 1) of g kinds of case that come with ``weights`` (equal by default); their steps
    are ``if_yes`` and ``if_no``. The sum lives on 600 cells of width h/600; a step between cells is split between its
    neighbours so that its mean is kept.

    References
    ----------
    Brook & Evans (1972), Biometrika 59:539. Steiner et al. (2000), Biostatistics 1:441.
    """
    shares = np.full(chances.size, 1 / chances.size) if weights is None else weights / weights.sum()
    width = h / CELLS
    steps = np.concatenate((if_yes, if_no)) / width
    mass = np.concatenate((shares * chances, shares * (1 - chances)))
    arrive = np.maximum(0.0, np.arange(CELLS)[:, None] + steps[None, :])
    below = np.floor(arrive).astype(np.int64)
    above_share = arrive - below
    row = np.broadcast_to(np.arange(CELLS)[:, None] * (CELLS + 1), below.shape)
    # one column more than cells: it gathers what has reached the limit
    moved = np.bincount(
        (row + np.minimum(below, CELLS)).ravel(), (mass * (1 - above_share)).ravel(), CELLS * (CELLS + 1)
    )
    moved += np.bincount((row + np.minimum(below + 1, CELLS)).ravel(), (mass * above_share).ravel(), moved.size)
    matrix = moved.reshape(CELLS, CELLS + 1)[:, :CELLS]
    return float(linalg.solve(np.eye(CELLS) - matrix, np.ones(CELLS))[0])


def binary_cusum_limit(
    chances: Vector, if_yes: Vector, if_no: Vector, arl0: float, *, weights: Vector | None = None
) -> float:
    """The h with which the chart has this ARL0."""
    return solved(lambda h: binary_cusum_arl(chances, if_yes, if_no, h, weights=weights), arl0, low=0.2, high=14.0)
