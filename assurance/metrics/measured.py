"""From arrays to the parts of a Finding: digest of what went in, method record, interval and state."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assurance.evidence.errors import InvalidInput
from assurance.evidence.finding import Interval, Method, State

IMPLEMENTATION_VERSION = "1.0"  # raised whenever the same input gives another number


def array_digest(**arrays: ArrayLike | None) -> str:
    """SHA-256 over the named arrays (shape and values; numbers as float64, text as UTF-8). ``None`` is left out."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        if arrays[name] is None:
            continue
        array = np.asarray(arrays[name])
        if array.dtype.kind in "biuf":
            content = np.ascontiguousarray(array, dtype="<f8").tobytes()
        else:
            content = "\x1f".join(str(value) for value in array.ravel()).encode()
        digest.update(f"{name}:{array.shape}:".encode())
        digest.update(content)
    return digest.hexdigest()


def method_record(key: str, function: str, *, seed: int | None = None, **parameters: Any) -> Method:
    """The record of which code gave the value; ``function`` is its import path."""
    return Method(key, function, IMPLEMENTATION_VERSION, parameters, seed)


def interval_around(value: float, low: float, high: float, *, level: float, method: str) -> Interval:
    """An interval that holds its value: a bootstrap quantile or a rounding may miss an extreme estimate by a hair."""
    return Interval(float(min(low, value)), float(max(high, value)), level, method)


def checked_level(level: float) -> float:
    """Refuse a confidence level outside 0.5..1 (exclusive above)."""
    if not 0.5 <= level < 1:
        raise InvalidInput("level_out_of_range", f"level is {level}: give a share from 0.5 to below 1, such as 0.95")
    return level


def judged(
    value: float, interval: Interval | None, *, limit: float | None, higher_is_better: bool, too_few: str = ""
) -> tuple[State, str]:
    """State and reason of a performance value against its declared ``limit``.

    ``act`` needs evidence and effect: the whole interval lies on the wrong side of the limit. ``watch`` when the value
    alone does. ``too_few`` (a sentence) makes it ``insufficient``. Without a limit a computed value is ``ok``.
    """
    if too_few:
        return State.INSUFFICIENT, too_few
    if limit is None:
        return State.OK, ""
    beyond = value < limit if higher_is_better else value > limit
    if not beyond:
        return State.OK, ""
    side = "below" if higher_is_better else "above"
    edge = None if interval is None else (interval.high if higher_is_better else interval.low)
    if edge is not None and (edge < limit if higher_is_better else edge > limit):
        return State.ACT, f"the whole interval lies {side} the declared limit {limit:g}"
    return State.WATCH, f"the value lies {side} the declared limit {limit:g}, its interval does not exclude it"


def patient_count(patients: NDArray[Any] | None) -> int | None:
    """Number of distinct patients, or ``None`` where the caller did not name them."""
    return None if patients is None else int(np.unique(patients).size)
