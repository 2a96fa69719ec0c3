"""What all detectors of one signal share: the checks at the door and the Finding at the end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assurance.evidence.finding import Finding, Method, NullLaw, State
from monitoring.drift.distribution import Distribution, joint_digest
from monitoring.drift.thresholds import Row, on_sd_scale
from monitoring.drift.verdict import verdict

VERSION = "1"


def judged(
    key: str, value: float, *, reference: Distribution, current: Distribution, null: NullLaw, row: Row,
    alpha_watch: float, alpha_act: float, seed: int | None = None, unit: str = "1",
    parameters: Mapping[str, Any] | None = None, details: Mapping[str, Any] | None = None,
) -> Finding:  # fmt: skip
    """The Finding of a numeric comparison, its state by evidence and effect."""
    p_value = 1.0 if null.p_value is None else null.p_value
    state, reason, minimum = verdict(
        effect=value, p_value=p_value, n=reference.n, m=current.n, row=row, alpha_watch=alpha_watch, alpha_act=alpha_act
    )
    settings = {
        "alpha_watch": alpha_watch,
        "alpha_act": alpha_act,
        "watch": row.watch,
        "act": row.act,
        **(parameters or {}),
    }
    facts = {
        "missing_share": missing_share(current),
        "reference_missing_share": missing_share(reference),
        **(details or {}),
    }
    return Finding(
        quantity=key, value=value, unit=unit, state=state, n_cases=current.n, n_reference=reference.n,
        method=Method(key, "vigil", VERSION, settings, seed),
        input_digest=joint_digest(reference.digest, current.digest),
        null=null, effect=on_sd_scale(key, value), minimum_n=minimum, reason=reason, details=facts,
    )  # fmt: skip


def not_comparable(
    key: str, reference: Distribution, current: Distribution, *, row: Row, unit: str = "1", seed: int | None = None
) -> Finding | None:
    """A Finding without value when a side is empty, too small or the reference constant; None when all is well."""
    if reference.n < 2 or current.n < 2:
        reason = f"reference has {reference.n} and current {current.n} values: both need two or more"
    elif reference.is_constant:
        reason = f"every reference value is {reference.positions[0]:g}: a constant has no spread to compare with"
    else:
        return None
    return Finding(
        quantity=key, value=None, unit=unit, state=State.INSUFFICIENT, n_cases=current.n, n_reference=reference.n,
        method=Method(key, "vigil", VERSION, {}, seed), input_digest=joint_digest(reference.digest, current.digest),
        minimum_n=row.act_n, reason=reason,
        details={"missing_share": missing_share(current), "reference_missing_share": missing_share(reference)},
    )  # fmt: skip


def missing_share(sample: Distribution) -> float | None:
    whole = sample.n + sample.missing
    return sample.missing / whole if whole else None
