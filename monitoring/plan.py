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
    """Explanations that an alarm asks for: how many of its cases, by which methods, and at most how many cases
    all alarms of one computation ask for together (a software update moves many signals at once, by the same cases)."""

    cases: int = 3
    most: int = 20
    methods: tuple[str, ...] = ("integrated_gradients", "seg_grad_cam")


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is compared, how often, and what calls a person.

    ``window`` says how windows are cut: ``days`` (disjoint spans of ``window_days`` UTC days from ``start`` on, by
    default the first day with cases), calendar ``day``, ``week`` or ``month``, ``rolling`` (``window_days`` long, one
    every ``stride_days``; alarms come from disjoint ones only) or ``cases`` (a window ends with the day on which it has
    ``window_cases``). Performance looks back ``performance_days`` from the end of each window, at least over it.

    ``strata`` are factors to divide by, each entry alone or joined: ``["site", "sex"]`` means every sex at every site.
    ``embedding`` and ``scores`` are methods for vectors. ``case_mix`` are the factors of standardisation.
    ``alarm_on`` names the quantities whose states call a person; the others stand beside them. ``limits`` maps metric
    keys to the declared limit that the interval is judged against. ``family_control`` corrects the primary p-values of
    one window, stratum and kind of signal for their number: ``bh``, ``by``, ``holm`` or ``none``. ``context`` adds
    kind of shift, drivers, concordance, case mix and words.
    """

    window: str = "days"
    window_days: int = 28
    stride_days: int = 1
    window_cases: int = 1000
    performance_days: int = 0
    start: date | None = None
    numeric: tuple[str, ...] = ("w1_sd", "ks", "psi", "js")
    categorical: tuple[str, ...] = ("chi_square",)
    embedding: tuple[str, ...] = ("rff_mmd", "c2st")
    scores: tuple[str, ...] = ("bbsd",)
    strata: tuple[tuple[str, ...], ...] = ()
    minimum_stratum: int = 30
    case_mix: tuple[str, ...] = ("age", "sex", "view")
    family_control: str = "bh"
    permutations: int = 999
    alarm_on: tuple[str, ...] = ("w1_sd", "chi_square", "rff_mmd", "auroc", "dice")
    limits: dict[str, float] = {}
    second_opinion: bool = True
    context: bool = True
    maps: Maps = Maps()
    seed: int = 0


WINDOWS = ("days", "day", "week", "month", "rolling", "cases")
CONTROLS = ("bh", "by", "holm", "none")


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
    if not 0 <= plan.maps.most <= 500:
        raise InvalidInput("bad_plan", f"maps.most {plan.maps.most}: give 0 to 500 cases")
    _check_choice("window", plan.window, WINDOWS)
    _check_choice("family_control", plan.family_control, CONTROLS)
    _check_range("stride_days", plan.stride_days, 1, 366)
    _check_range("window_cases", plan.window_cases, 10, 10_000_000)
    _check_range("minimum_stratum", plan.minimum_stratum, 2, 1_000_000)
    _check_range("permutations", plan.permutations, 99, 99_999)
    for factors in plan.strata:
        if not factors or len(set(factors)) < len(factors):
            raise InvalidInput("bad_plan", f"strata holds {list(factors)}: give one or more different factors")
    kinds = (("numeric", plan.numeric), ("categorical", plan.categorical), ("embedding", plan.embedding),
             ("scores", plan.scores))  # fmt: skip
    for kind, keys in kinds:
        for key in keys:
            if kind not in DETECTORS[key].facts["signals"]:
                raise InvalidInput(
                    "bad_plan",
                    f"{kind} holds {key}, which reads {' and '.join(DETECTORS[key].facts['signals'])} signals",
                )
    for key in plan.limits:
        _ = METRICS[key]
    return plan


def _check_choice(field: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise InvalidInput("bad_plan", f"{field} {value!r}: choose one of {', '.join(allowed)}")


def _check_range(field: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise InvalidInput("bad_plan", f"{field} {value}: give {low} to {high}")


def plan_content(plan: Plan) -> dict[str, Any]:
    """Plain values of the whole plan, defaults included, as they are hashed and shown."""
    content: dict[str, Any] = msgspec.to_builtins(plan)
    return content
