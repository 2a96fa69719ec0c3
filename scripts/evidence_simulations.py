"""Windows for the evidence: references and current windows of each kind of signal, with a stated shift in sd."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIZES = (30, 100, 300, 1000)
SHIFTS = (0.1, 0.2, 0.3, 0.5, 0.8)
REFERENCE_SIZE = {"numeric": 2000, "categorical": 2000, "embedding": 400, "scores": 2000, "heavy": 300, "tied": 300}
LEVELS = np.array(["AP", "PA", "LAT", "OBL"])
SHARES = np.array([0.5, 0.3, 0.15, 0.05])
WIDTH = 8


def simulated(
    kind: str, rng: np.random.Generator, size: int, *, shift: float = 0.0, change: str = "mean"
) -> NDArray[Any]:
    """``shift`` 0 is the law of the reference. ``change`` "spread" makes the sd 1 + ``shift`` times as large instead.

    heavy: the exponential of twice a normal variable; tied: six in ten are 0, the others exponential in steps
    of 0.1 (both without shift: they are there for false alarms). numeric: gamma(2), moved by ``shift`` of its
    sd. categorical: four levels by cutting a normal variable that moves by ``shift`` sd. embedding: 8
    correlated normal coordinates, moved by ``shift`` sd (Mahalanobis) along one axis. scores: softmax of three
    normal logits, the first moved by ``shift`` sd.
    """
    wider = 1 + shift if change == "spread" else 1.0
    shift = 0.0 if change == "spread" else shift
    if kind == "numeric":
        return np.asarray(2.0 + wider * (rng.gamma(2.0, size=size) - 2.0) + shift * np.sqrt(2.0))
    if kind == "heavy":
        return np.asarray(np.exp(2 * rng.normal(size=size)))
    if kind == "tied":
        return np.asarray(np.where(rng.random(size) < 0.6, 0.0, np.round(rng.exponential(size=size), 1)))
    if kind == "categorical":
        cuts = np.array([0.0, 0.8416, 1.6449])  # normal quantiles of 0.5, 0.8, 0.95
        return LEVELS[np.searchsorted(cuts, rng.normal(shift, 1, size=size))]
    if kind == "embedding":
        rows = wider * rng.normal(size=(size, WIDTH))
        rows[:, 0] += shift
        mixing = np.eye(WIDTH) + 0.5 * np.eye(WIDTH, k=1)
        return np.asarray(rows @ mixing)
    logits = rng.normal(size=(size, 3))
    logits[:, 0] += shift
    odds = np.exp(logits)
    return np.asarray(odds / odds.sum(axis=1, keepdims=True))


@dataclass(frozen=True, slots=True)
class World:
    """How findings show in images: ``telling`` features of ``width`` move by ``strength`` where the finding is."""

    width: int
    telling: int
    strength: float
    prevalence: float
    others: tuple[float, ...]  # prevalences after a prevalence shift
    sizes: tuple[int, ...]
    noise: float  # sd of what the model's logit adds to the best possible one


WORLDS = {
    # the law on which the thresholds of the rule were chosen
    "first": World(8, 3, 1.0, 0.3, (0.12, 0.45, 0.55, 0.65), (300, 600, 1000), 0.0),
    # another one, never used for choosing: rarer finding, wider embedding, a model that is not calibrated
    "second": World(16, 5, 0.8, 0.2, (0.08, 0.35, 0.45, 0.6), (400, 800, 1500), 0.7),
}
CHANGES = {"acquisition": (0.2, 0.6), "contrast": (0.15, 0.4), "bias": (0.2, 0.5)}


def labelled_world(
    rng: np.random.Generator, size: int, prevalence: float, *, world: World, change: str = "", by: float = 0.0
) -> tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.float64]]:
    """Truth, scores and image features.

    ``change`` is what the images undergo: "acquisition" moves four features that do not tell the finding, "contrast"
    scales all, "bias" moves one that tells it and three that do not, each ``by`` so much.
    """
    truth = rng.random(size) < prevalence
    rows = rng.normal(size=(size, world.width))
    rows[truth, : world.telling] += world.strength
    if change == "acquisition":
        rows[:, world.telling + 1 : world.telling + 5] += by
    elif change == "contrast":
        rows *= 1 + by
    elif change == "bias":
        rows[:, world.telling - 1 : world.telling + 3] += by
    logit = world.strength * (rows[:, : world.telling].sum(axis=1) - world.telling * world.strength / 2)
    logit += np.log(world.prevalence / (1 - world.prevalence)) + world.noise * rng.normal(size=size)
    return truth, 1 / (1 + np.exp(-logit)), rows


def labelled_pair(rng: np.random.Generator, kind: str, *, world: str = "first") -> tuple[Any, ...]:
    """Reference labels, scores and features, then scores and features of a window with ``kind`` of shift."""
    law = WORLDS[world]
    change, by, prevalence = "", 0.0, law.prevalence
    if kind in ("prevalence", "both"):
        prevalence = float(rng.choice(law.others))
    if kind in ("covariate", "both"):
        change = str(rng.choice(list(CHANGES)))
        by = rng.uniform(*CHANGES[change])
    reference = labelled_world(rng, 1500, law.prevalence, world=law)
    size = int(rng.choice(law.sizes))
    _, scores, rows = labelled_world(rng, size, prevalence, world=law, change=change, by=by)
    return (*reference, scores, rows)
