"""Label maturity: how many of a window's cases have their truth by now, which says how far its performance is known."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from monitoring.selectors.charts import Step, Stream
from monitoring.words import BADGES

QUANTITY = "labelled_share"


def maturity(streams: Sequence[Stream]) -> Stream | None:
    """Percent of each window's cases with a truth, from the findings of realised performance and of volume.

    Some measures count positives only, so the largest number of cases among them is taken. None where either is away.
    """
    realised = [one for one in streams if one.family == "performance" and not one.quantity.startswith(tuple(BADGES))]
    volumes = next((one.steps for one in streams if one.quantity == "volume"), None)
    if not realised or not volumes:
        return None
    best: dict[tuple[datetime, datetime], Step] = {}
    for one in realised:
        for step in one.steps:
            known = best.get((step.start, step.end))
            if known is None or step.n_cases > known.n_cases:
                best[step.start, step.end] = step
    cases = {(step.start, step.end): step.value or 0.0 for step in volumes}
    steps = []
    for (start, end), step in sorted(best.items()):
        whole = cases.get((start, end)) or sum(n for (a, b), n in cases.items() if start <= a and b <= end)
        if whole:
            share = 100.0 * min(1.0, step.n_cases / whole)
            state = "insufficient" if step.state == "insufficient" else "ok"
            steps.append(Step(start, end, share, state, int(whole)))
    first = realised[0]
    return Stream(first.deployment, "performance", QUANTITY, "", first.stratum, "%", steps) if steps else None
