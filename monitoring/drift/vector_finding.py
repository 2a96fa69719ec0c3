"""The Finding of a comparison whose null law was drawn, with a minimum size that follows from that law."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assurance.evidence.finding import Finding, Interval, Method, NullLaw
from monitoring.drift.comparison import VERSION
from monitoring.drift.distribution import joint_digest
from monitoring.drift.null_laws import LEVELS
from monitoring.drift.thresholds import Row
from monitoring.drift.vectors import Vectors
from monitoring.drift.verdict import verdict


def drawn_law(draws: NDArray[np.float64], value: float, law: str) -> NullLaw:
    """Quantiles of the draws, and (1 + #{≥}) / (1 + R)."""
    quantiles = {f"{level:g}": float(np.quantile(draws, level)) for level in LEVELS}
    slack = 1e-12 * max(1.0, abs(value))
    return NullLaw(law, quantiles, (1 + int((draws >= value - slack).sum())) / (1 + draws.size))


def vector_finding(
    key: str, value: float, first: Vectors, second: Vectors, *, null: NullLaw, row: Row, effect: float | None,
    judged_effect: float | None = None, alpha_watch: float, alpha_act: float, seed: int, unit: str = "1",
    interval: Interval | None = None, parameters: Mapping[str, Any] | None = None,
    details: Mapping[str, Any] | None = None,
) -> Finding:  # fmt: skip
    """``effect`` is on the sd scale, None where there is none; ``judged_effect``, by default the same, in ``row``'s."""
    size = float(effect or 0.0) if judged_effect is None else judged_effect
    state, reason, minimum = verdict(
        effect=size, p_value=1.0 if null.p_value is None else null.p_value,
        n=first.n_patients, m=second.n_patients, row=row, alpha_watch=alpha_watch, alpha_act=alpha_act,
    )  # fmt: skip
    settings = {"alpha_watch": alpha_watch, "alpha_act": alpha_act, "watch": row.watch, "act": row.act,
                **(parameters or {})}  # fmt: skip
    whole = second.n + second.missing
    facts = {"missing_share": second.missing / whole if whole else None, "width": first.width, **(details or {})}
    return Finding(
        quantity=key, value=value, unit=unit, state=state, n_cases=second.n, n_reference=first.n,
        n_patients=second.n_patients if second.named else None, method=Method(key, "vigil", VERSION, settings, seed),
        input_digest=joint_digest(first.digest, second.digest), null=null, effect=effect, minimum_n=minimum,
        reason=reason, interval=interval, details=facts,
    )  # fmt: skip
