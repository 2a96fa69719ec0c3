"""What a chart is made of."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Point:
    """One window's value. ``tip`` shows when the pointer or the keyboard reaches it, ``href`` opens its Finding."""

    at: datetime
    value: float | None
    state: str
    tip: str
    low: float | None = None
    high: float | None = None
    href: str = ""


@dataclass(frozen=True, slots=True)
class Series:
    name: str
    points: Sequence[Point]


@dataclass(frozen=True, slots=True)
class Marker:
    """A vertical line: a software update, a change point, an alarm."""

    at: datetime
    title: str


@dataclass(frozen=True, slots=True)
class Limits:
    watch: float | None = None
    act: float | None = None
    null: Sequence[tuple[datetime, float]] = field(default_factory=tuple)  # what chance alone gives, by window
