"""What happens to a drawn image when a part of its condition is taken away: sentences with their numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from assurance.evidence.errors import InvalidInput
from explainability.faithfulness.perturbation_facts import PerturbationFact


def change_fact(
    inside: Sequence[float], outside: Sequence[float], *, doing: str, where: str, elsewhere: str, unit: str,
    area: float, seed: int, of_others: str = "seeds",
) -> PerturbationFact:  # fmt: skip
    """Mean changes of the drawn image, one for each seed in ``inside``; ``outside`` is what they are compared with.

    ``before`` is 0, since the image does not change when its condition is kept. Intervals hold the middle 95 %.

    Raises
    ------
    InvalidInput
        ``bad_fills`` unless both have a value.
    """
    if not len(inside) or not len(outside):
        raise InvalidInput("bad_fills", f"{len(inside)} and {len(outside)} changes: give one or more of each")
    low, high = (float(edge) for edge in np.quantile(inside, [0.025, 0.975]))
    else_low, else_high = (float(edge) for edge in np.quantile(outside, [0.025, 0.975]))
    mean, control = float(np.mean(inside)), float(np.mean(outside))
    counted = f"n = {len(outside)} {of_others}, " if of_others != "seeds" else ""
    text = (
        f"{doing} changes it by {mean:.3g} {unit} {where} (n = {len(inside)} seeds, 95 % of them {low:.3g} to "
        f"{high:.3g}) and by {control:.3g} {elsewhere} ({counted}{else_low:.3g} to {else_high:.3g})."
    )
    return PerturbationFact(
        text=text, region=where, quantity=f"mean change in {unit}", before=0.0, after=mean, low=low, high=high,
        n_fills=len(inside), elsewhere=control, elsewhere_low=else_low, elsewhere_high=else_high, area_share=area,
        seed=seed,
    )  # fmt: skip
