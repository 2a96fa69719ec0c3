"""Summaries of cases in plain JSON, so that numbers can be computed again by anyone with any program."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

FORMAT, VERSION = "vigil-recompute", 1
README = """# recompute/states.json

Plain JSON, no patient in it. `comparisons` name the evidence ids whose value follows from two summaries:
`references[reference]` and `state`. A summary is one of

- `binned`: counts in `bins` equal bins from `low` to `high` (only bins with cases, by number from 0), cases `under` and
  `over`; cases stand at the centre of their bin.
- `masses`: ascending `positions` and the number of cases that each stands for (`masses`), from a KLL quantile sketch.
- `categories`: `counts` by level; `missing` is a level of its own when any case lacks a value.

`ks` is the largest gap between the two distribution functions, `w1_sd` the integral of their absolute difference over
the reference's standard deviation, `psi` and `js` compare shares in bins cut at the reference's deciles (PSI adds half
a case to each bin), `chi_square` is Cramér's V with Bergsma's correction. Sketches are merged with random choices:
values from them agree within the sketch's error.

`days` hold the counts of each day and site; a window's counts are their sum (`comparisons[].days` lists which). Days
of numeric signals also hold `total`, the sum of their values (a binned case counts as the centre of its bin).

`charts` name control charts: the mean of each week with 20 cases or more is the sum of `total` over its days divided by
their cases; each mean is compared with those before it (Hawkins' t statistic as a normal deviate) and goes into the
CUSUM, EWMA or Shewhart chart of the finding's parameters. `outcomes` hold, for each e-process, one digit a case in the
order of the studies, 1 for an error: no score, no time, no patient.

`rankings` hold, for each AUROC, `[positives, negatives]` at each distinct score from the lowest to the highest: all
that AUROC and DeLong's interval depend on, and no score.
"""


def state_json(state: Any) -> dict[str, Any] | None:
    """A mergeable state as plain JSON; None for kinds that no comparison of the bundle reads."""
    kind = getattr(state, "kind", "")
    if kind == "binned":
        used = np.flatnonzero(state.counts)
        return {
            "kind": "binned",
            "low": state.low,
            "high": state.high,
            "bins": int(state.counts.size),
            "under": state.under,
            "over": state.over,
            "missing": state.missing,
            "counts": {str(int(b)): int(state.counts[b]) for b in used},
        }
    if kind == "sketch":
        positions, masses = state.masses()
        return {"kind": "masses", "positions": positions.tolist(), "masses": masses.tolist(), "missing": state.missing}
    if kind == "categories":
        return {"kind": "categories", "counts": dict(state.counts), "missing": state.missing}
    return None


def total_of(state: Any) -> tuple[int, float] | None:
    """(cases with a value, sum of the values) of a numeric state; a binned case counts as the centre of its bin."""
    if state.kind == "binned":
        width = (state.high - state.low) / state.counts.size
        centres = state.low + width * (np.arange(state.counts.size) + 0.5)
        inside = float(np.dot(centres, state.counts))
        return state.n, inside + state.low * state.under + state.high * state.over
    if state.kind == "sketch":
        return state.n, float(state.total)
    return None


def ranks(labels: NDArray[np.float64], scores: NDArray[np.float64]) -> list[list[int]]:
    """[positives, negatives] at each distinct score, from the lowest to the highest."""
    _, place = np.unique(scores, return_inverse=True)
    positive = np.bincount(place, weights=labels).astype(np.int64)
    whole = np.bincount(place)
    return [[int(p), int(n - p)] for p, n in zip(positive, whole, strict=True)]


def roc_points(table: list[list[int]]) -> list[list[float]]:
    """(1 − specificity, sensitivity) from the strictest threshold to the loosest, thinned to at most 200 points."""
    counts = np.array(table[::-1], dtype=np.float64)
    steps = np.vstack(([0.0, 0.0], np.cumsum(counts, axis=0)))
    points = np.column_stack((steps[:, 1] / steps[-1, 1], steps[:, 0] / steps[-1, 0]))
    if len(points) > 200:
        points = points[np.unique(np.linspace(0, len(points) - 1, 200).astype(int))]
    return [[round(float(x), 6), round(float(y), 6)] for x, y in points]
