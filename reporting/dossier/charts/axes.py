"""Axes of the dossier's charts: scales, round ticks and frames."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from reporting.dossier.charts.picture import FAINT, GRID, SOFT, Picture
from reporting.dossier.numbers import MINUS


@dataclass(frozen=True, slots=True)
class Scale:
    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        if self.high == self.low:
            return (self.start + self.end) / 2
        inside = min(max(value, min(self.low, self.high)), max(self.low, self.high))
        return self.start + (inside - self.low) / (self.high - self.low) * (self.end - self.start)


def ticks(low: float, high: float, *, most: int = 6) -> list[float]:
    """Round numbers (1, 2, 2.5 or 5 times a power of ten) that cover ``low..high``."""
    if high <= low:
        low, high = low - (abs(low) * 0.1 or 0.5), high + (abs(high) * 0.1 or 0.5)
    rough = (high - low) / max(1, most - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(place * step, 12) for place in range(first, last + 1)]


def tick_words(value: float) -> str:
    return f"{value:g}".replace("-", MINUS, 1)


@dataclass(frozen=True, slots=True)
class Frame:
    """The plotting area of a picture with its two scales."""

    picture: Picture
    x: Scale
    y: Scale

    @property
    def left(self) -> float:
        return self.x.start

    @property
    def right(self) -> float:
        return self.x.end

    @property
    def bottom(self) -> float:
        return self.y.start

    @property
    def top(self) -> float:
        return self.y.end


def frame(
    picture: Picture,
    *,
    x: tuple[float, float],
    y: Sequence[float],
    left: float = 42,
    right: float = 10,
    bottom: float = 30,
    top: float = 10,
    x_ticks: Sequence[float] = (),
    x_title: str = "",
    y_title: str = "",
) -> Frame:
    """Draw grid, ticks and titles. ``y`` is given as its ticks."""
    area = Frame(picture, Scale(*x, left, picture.width - right), Scale(y[0], y[-1], bottom, picture.height - top))
    for value in y:
        picture.line((area.left, area.y(value)), (area.right, area.y(value)), colour=GRID, width=0.5)
        picture.words(area.left - 4, area.y(value) - 2.3, tick_words(value), anchor="end")
    for value in x_ticks:
        picture.line((area.x(value), bottom), (area.x(value), bottom - 2.5), colour=FAINT, width=0.5)
        picture.words(area.x(value), bottom - 10, tick_words(value), anchor="middle")
    picture.line((area.left, bottom), (area.right, bottom), colour=FAINT, width=0.7)
    if x_title:
        picture.words((area.left + area.right) / 2, bottom - 21, x_title, anchor="middle", colour=SOFT)
    if y_title:
        picture.words(8, (area.bottom + area.top) / 2, y_title, anchor="middle", upright=True)
    return area


def time_axis(area: Frame, start: datetime, end: datetime, *, most: int = 9) -> None:
    """Days or first days of months under the frame; the scale of x counts seconds."""
    days = max(1, (end - start).days)
    moments: list[tuple[datetime, str]] = []
    if days > 75:
        step = max(1, math.ceil(days / 30.4 / most))
        year, month = start.year, start.month
        while True:
            month += step
            year, month = year + (month - 1) // 12, (month - 1) % 12 + 1
            at = datetime(year, month, 1, tzinfo=UTC)
            if at > end:
                break
            moments.append((at, f"{MONTHS[month - 1]} {year % 100:02d}"))
    else:
        step = math.ceil(days / most)
        for place in range(0, days + 1, step):
            at = datetime.fromtimestamp(start.timestamp() + place * 86400, tz=UTC)
            moments.append((at, f"{at.day} {MONTHS[at.month - 1]}"))
    for at, word in moments:
        x = area.x(at.timestamp())
        area.picture.line((x, area.bottom), (x, area.bottom - 2.5), colour=FAINT, width=0.5)
        area.picture.words(x, area.bottom - 10, word, anchor="middle")


MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")  # not the locale's
