"""Axes: where a value lies on the page and which round numbers stand beside it."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Scale:
    """A straight line from ``low..high`` in the unit of the data to ``start..end`` in pixels."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        if self.high == self.low:
            return (self.start + self.end) / 2
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def round_ticks(low: float, high: float, *, most: int = 5) -> list[float]:
    """At most ``most`` round numbers (1, 2, 2.5 or 5 times a power of ten) that cover ``low..high``."""
    if high <= low:
        high = low + (abs(low) or 1.0)
    rough = (high - low) / max(1, most - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough)
    first = math.floor(low / step)
    last = math.ceil(high / step - 1e-9)
    return [round(place * step, 12) for place in range(first, last + 1)]


def day_ticks(start: datetime, end: datetime, *, most: int = 8) -> list[datetime]:
    """First days of months, or every n-th day of a short span."""
    days = max(1, (end - start).days)
    midnight = start.replace(hour=0, minute=0, second=0, microsecond=0)
    if days > 75:
        months = max(1, math.ceil(days / 30.4 / most))
        ticks: list[datetime] = []
        year, month = start.year, start.month
        while True:
            month += months
            year, month = year + (month - 1) // 12, (month - 1) % 12 + 1
            tick = midnight.replace(year=year, month=month, day=1)
            if tick >= end:
                return ticks
            ticks.append(tick)
    step = math.ceil(days / most)
    return [midnight + timedelta(days=place) for place in range(step, days + 1, step)]


def covering(values: Sequence[float], *, include: Sequence[float] = ()) -> tuple[float, float]:
    """The smallest span that holds all values, widened when it is a single point."""
    finite = [value for value in (*values, *include) if math.isfinite(value)]
    if not finite:
        return 0.0, 1.0
    low, high = min(finite), max(finite)
    return (low, high) if high > low else (low - (abs(low) * 0.1 or 0.5), high + (abs(high) * 0.1 or 0.5))
