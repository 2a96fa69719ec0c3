"""What a monitoring plan may say, with the defaults of the methods."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import msgspec

from assurance.evidence.errors import InvalidInput
from assurance.metrics.catalogue import METRICS
from monitoring.drift.catalogue import DETECTORS


class Maps(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Explanations that an alarm asks for: how many of its cases, by which methods."""

    cases: int = 3
    methods: tuple[str, ...] = ("integrated_gradients", "seg_grad_cam")


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Windows are disjoint spans of ``window_days`` UTC days from ``start`` on (the first day with cases when unset).
    Performance looks back ``performance_days`` from the end of each window, at least over the window itself.

    ``alarm_on`` names the quantities whose states call a person; the others stand beside them. ``limits`` maps metric
    keys to the declared limit that the interval is judged against.
    """

    window_days: int = 28
    performance_days: int = 0
    start: date | None = None
    numeric: tuple[str, ...] = ("w1_sd", "ks", "psi", "js")
    categorical: tuple[str, ...] = ("chi_square",)
    alarm_on: tuple[str, ...] = ("w1_sd", "chi_square", "auroc", "dice")
    limits: dict[str, float] = {}
    second_opinion: bool = True
    maps: Maps = Maps()
    seed: int = 0


def read_plan(content: Mapping[str, Any]) -> Plan:
    """Check and fill in a plan.

    Raises
    ------
    InvalidInput
        ``bad_plan`` naming the field, its value and what is allowed; ``unknown_key`` for methods and metrics.
    """
    try:
        plan = msgspec.convert(dict(content), Plan, strict=False)
    except msgspec.ValidationError as error:
        raise InvalidInput("bad_plan", f"the plan is not valid: {error}") from error
    if not 1 <= plan.window_days <= 366:
        raise InvalidInput("bad_plan", f"window_days {plan.window_days}: give 1 to 366 days")
    if not 0 <= plan.maps.cases <= 50:
        raise InvalidInput("bad_plan", f"maps.cases {plan.maps.cases}: give 0 to 50 cases")
    for keys, kind in ((plan.numeric, "numeric"), (plan.categorical, "categorical")):
        for key in keys:
            if kind not in DETECTORS[key].facts["signals"]:
                raise InvalidInput(
                    "bad_plan",
                    f"{kind} holds {key}, which reads {' and '.join(DETECTORS[key].facts['signals'])} signals",
                )
    for key in plan.limits:
        _ = METRICS[key]
    return plan


def plan_content(plan: Plan) -> dict[str, Any]:
    """Plain values of the whole plan, defaults included, as they are hashed and shown."""
    content: dict[str, Any] = msgspec.to_builtins(plan)
    return content
