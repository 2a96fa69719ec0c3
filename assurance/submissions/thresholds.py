"""Thresholds of a sandbox plan as bounds that a value keeps or crosses."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from assurance.evidence.errors import InvalidInput
from assurance.metrics.catalogue import METRICS

SUFFIXES = {"_act": "", "_max": "at_most", "_min": "at_least"}
ONLY_WATCHED = "_watch"  # such a threshold asks for attention and stops nothing
PARTS = ("at_least", "at_most", "signal", "stratum")


@dataclass(frozen=True, slots=True)
class Bound:
    """``quantity`` must stay ``at_least`` or ``at_most`` this; ``signal`` and ``stratum`` narrow what it speaks of.

    An empty ``signal`` means every signal; an empty ``stratum`` means the whole and no subgroup.
    """

    key: str
    quantity: str
    at_least: float | None
    at_most: float | None
    signal: str = ""
    stratum: str = ""

    def crossed(self, value: float) -> bool:
        """Whether ``value`` lies beyond the bound; on it is not beyond."""
        return (self.at_least is not None and value < self.at_least) or (
            self.at_most is not None and value > self.at_most
        )

    def __str__(self) -> str:
        words = [f"at least {self.at_least:g}"] if self.at_least is not None else []
        words += [f"at most {self.at_most:g}"] if self.at_most is not None else []
        place = " ".join(part for part in (self.signal, self.stratum) if part)
        return f"{self.quantity} {place} {' and '.join(words)}".replace("  ", " ")


def read_bounds(thresholds: Mapping[str, Any]) -> list[Bound]:
    """The bounds of the ``thresholds`` part of a plan.

    A key is a quantity, with ``_act``, ``_max`` or ``_min`` behind it where that says more (``w1_sd_act: 0.5``); one
    that ends in ``_watch`` bounds nothing. A value is a number, or a mapping of ``at_least`` and ``at_most`` with, if
    it speaks of a part only, ``signal`` and ``stratum`` (``sex=F``). A bare number is read as the metric's catalogue
    says, higher is better or lower is better; quantities of drift are 0 without drift, so a number is the most allowed.

    Raises
    ------
    InvalidInput
        ``not_a_bound`` for a value that is neither, is not finite, or leaves open on which side it bounds.
    """
    return [bound for key, value in thresholds.items() if (bound := _bound(str(key), value)) is not None]


def _bound(key: str, value: Any) -> Bound | None:
    quantity, side = key, ""
    if key not in METRICS:
        if key.endswith(ONLY_WATCHED):
            return None
        for suffix, meant in SUFFIXES.items():
            if key.endswith(suffix):
                quantity, side = key.removesuffix(suffix), meant
    if isinstance(value, Mapping):
        unknown = sorted(set(value) - set(PARTS))
        least, most = (_number(key, value[name]) if name in value else None for name in ("at_least", "at_most"))
        if unknown or (least is None and most is None):
            raise InvalidInput(
                "not_a_bound", f"thresholds.{key} is {dict(value)!r}: give at_least or at_most, and if it speaks of a "
                "part only signal and stratum",
            )  # fmt: skip
        return Bound(key, quantity, least, most, str(value.get("signal", "")), str(value.get("stratum", "")))
    number = _number(key, value)
    side = side or _side(key, quantity)
    return Bound(key, quantity, number if side == "at_least" else None, number if side == "at_most" else None)


def _side(key: str, quantity: str) -> str:
    if quantity not in METRICS:
        return "at_most"
    better = METRICS[quantity].facts.get("better")
    if better == "higher":
        return "at_least"
    if better == "lower":
        return "at_most"
    raise InvalidInput(
        "not_a_bound", f"thresholds.{key}: {quantity} is best at {better}, so say at_least and at_most: "
        f"{key}: {{at_least: 0.8, at_most: 1.2}}",
    )  # fmt: skip


def _number(key: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InvalidInput("not_a_bound", f"thresholds.{key} is {value!r}: give a number")
    return float(value)
