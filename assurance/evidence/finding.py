"""The Finding: the only currency between the apps. Nothing without these fields is shown, charted or printed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from assurance.evidence.errors import InvalidInput, NotComputable
from records.canonical import content_hash


class State(StrEnum):
    """What a reader should do. ``insufficient`` is a normal outcome, shown in grey, never as green."""

    OK = "ok"
    WATCH = "watch"
    ACT = "act"
    INSUFFICIENT = "insufficient"

    @property
    def rank(self) -> int:
        return _RANK[self]


_RANK = {State.OK: 0, State.INSUFFICIENT: 1, State.WATCH: 2, State.ACT: 3}


def worst(states: list[State]) -> State:
    """The state to show for a group; ``insufficient`` outranks ``ok``, since silence is not good news."""
    return max(states, key=lambda state: state.rank, default=State.INSUFFICIENT)


@dataclass(frozen=True, slots=True)
class Interval:
    """``low`` to ``high`` in the unit of the value, at ``level`` (0.95), by ``method`` ("delong", "wilson", ...)."""

    low: float
    high: float
    level: float
    method: str


@dataclass(frozen=True, slots=True)
class NullLaw:
    """What chance alone gives at this n and m: quantiles by probability ("0.99" -> value), and the p-value."""

    law: str
    quantiles: Mapping[str, float]
    p_value: float | None = None


@dataclass(frozen=True, slots=True)
class Method:
    """Which code computed the value: catalogue key, implementation and its version, parameters, seed."""

    key: str
    implementation: str
    version: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class Window:
    """Half-open span of study times, start inclusive, end exclusive, both with time zone."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Finding:
    """One computed value with all that a reader needs to believe, repeat or refute it.

    ``value`` is None only with a ``reason``. ``unit`` is "1" for plain ratios. ``reference`` names the frozen reference
    set, ``n_reference`` its cases. ``stratum`` maps factor to level ({"site": "nih"}); empty means all cases.
    ``effect`` is on the common sd scale of methods §1.3 where one exists. ``input_digest`` is the SHA-256 of the states
    or arrays that went in. ``details`` holds what a second opinion said and other explanatory values.
    """

    quantity: str
    value: float | None
    unit: str
    state: State
    n_cases: int
    method: Method
    input_digest: str
    signal: str = ""
    n_patients: int | None = None
    interval: Interval | None = None
    null: NullLaw | None = None
    effect: float | None = None
    minimum_n: int | None = None
    reference: str | None = None
    n_reference: int | None = None
    window: Window | None = None
    stratum: Mapping[str, str] = field(default_factory=dict)
    model_version: str | None = None
    reason: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if (self.value is None or self.state is State.INSUFFICIENT) and not self.reason:
            raise InvalidInput("reason_missing", f"{self.quantity} has no value or too little data: give a reason")
        if self.interval and self.value is not None and not self.interval.low <= self.value <= self.interval.high:
            raise InvalidInput(
                "interval_misses_value",
                f"{self.quantity} {self.value} lies outside its interval {self.interval.low}..{self.interval.high}",
            )

    def __float__(self) -> float:
        if self.value is None:
            raise NotComputable("no_value", f"{self.quantity} has no value: {self.reason}")
        return self.value

    def as_dict(self) -> dict[str, Any]:
        """Plain values only, in the shape that the API, the JSON twin and the bundle share."""
        return {
            "quantity": self.quantity,
            "signal": self.signal,
            "value": self.value,
            "unit": self.unit,
            "state": self.state.value,
            "interval": _parts(self.interval),
            "null": _parts(self.null),
            "effect": self.effect,
            "n_cases": self.n_cases,
            "n_patients": self.n_patients,
            "minimum_n": self.minimum_n,
            "reference": self.reference,
            "n_reference": self.n_reference,
            "window": {"start": self.window.start.isoformat(), "end": self.window.end.isoformat()}
            if self.window
            else None,
            "stratum": dict(self.stratum),
            "model_version": self.model_version,
            "method": _parts(self.method),
            "input_digest": self.input_digest,
            "reason": self.reason,
            "details": dict(self.details),
        }

    def digest(self) -> str:
        """SHA-256 over the canonical content; the evidence id is its first twelve digits."""
        return content_hash(self.as_dict())

    def placed(self, **where: Any) -> Finding:
        """The same value with its place filled in (window, stratum, reference, model version, signal)."""
        return replace(self, **where)


def _parts(part: Any) -> dict[str, Any] | None:
    if part is None:
        return None
    values = {name: getattr(part, name) for name in part.__dataclass_fields__}
    return {name: dict(value) if isinstance(value, Mapping) else value for name, value in values.items()}
