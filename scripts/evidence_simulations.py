"""Windows for the evidence: references and current windows of each kind of signal, with a stated shift in sd."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

SIZES = (30, 100, 300, 1000)
SHIFTS = (0.1, 0.2, 0.3, 0.5, 0.8)
REFERENCE_SIZE = {"numeric": 2000, "categorical": 2000, "embedding": 400, "scores": 2000}
LEVELS = np.array(["AP", "PA", "LAT", "OBL"])
SHARES = np.array([0.5, 0.3, 0.15, 0.05])
WIDTH = 8


def simulated(kind: str, rng: np.random.Generator, size: int, *, shift: float = 0.0) -> NDArray[Any]:
    """``shift`` 0 is the law of the reference.

    numeric: gamma(2), moved by ``shift`` of its sd. categorical: four levels by cutting a normal variable that moves by
    ``shift`` sd. embedding: 8 correlated normal coordinates, moved by ``shift`` sd (Mahalanobis) along one axis.
    scores: softmax of three normal logits, the first moved by ``shift`` sd.
    """
    if kind == "numeric":
        return np.asarray(rng.gamma(2.0, size=size) + shift * np.sqrt(2.0))
    if kind == "categorical":
        cuts = np.array([0.0, 0.8416, 1.6449])  # normal quantiles of 0.5, 0.8, 0.95
        return LEVELS[np.searchsorted(cuts, rng.normal(shift, 1, size=size))]
    if kind == "embedding":
        rows = rng.normal(size=(size, WIDTH))
        rows[:, 0] += shift
        mixing = np.eye(WIDTH) + 0.5 * np.eye(WIDTH, k=1)
        return np.asarray(rows @ mixing)
    logits = rng.normal(size=(size, 3))
    logits[:, 0] += shift
    odds = np.exp(logits)
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))


def labelled_world(
    rng: np.random.Generator, size: int, prevalence: float, *, change: str = "", by: float = 0.0
) -> tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.float64]]:
    """Truth, calibrated scores and eight image features of which three tell the finding.

    ``change`` is what the images undergo: "acquisition" moves the four features that do not tell it, "contrast" scales
    all, "bias" moves two that tell it and two that do not, each ``by`` so much.
    """
    truth = rng.random(size) < prevalence
    rows = rng.normal(size=(size, 8))
    rows[truth, :3] += 1.0
    if change == "acquisition":
        rows[:, 4:] += by
    elif change == "contrast":
        rows *= 1 + by
    elif change == "bias":
        rows[:, 2:6] += by
    logit = rows[:, :3].sum(axis=1) - 1.5 + np.log(0.3 / 0.7)
    return truth, 1 / (1 + np.exp(-logit)), rows


CHANGES = {"acquisition": (0.2, 0.6), "contrast": (0.15, 0.4), "bias": (0.2, 0.5)}


def labelled_pair(rng: np.random.Generator, kind: str) -> tuple[Any, ...]:
    """Reference labels, scores and features, then scores and features of a window with ``kind`` of shift."""
    change, by, prevalence = "", 0.0, 0.3
    if kind in ("prevalence", "both"):
        prevalence = float(rng.choice([0.12, 0.45, 0.55, 0.65]))
    if kind in ("covariate", "both"):
        change = str(rng.choice(list(CHANGES)))
        by = rng.uniform(*CHANGES[change])
    reference = labelled_world(rng, 1500, 0.3)
    _, scores, rows = labelled_world(rng, int(rng.choice([300, 600, 1000])), prevalence, change=change, by=by)
    return (*reference, scores, rows)
