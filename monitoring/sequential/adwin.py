"""ADWIN: a window that shrinks when its older and newer parts differ. It has no calibrated run length."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from assurance.evidence.checks import finite_vector
from assurance.evidence.errors import InvalidInput
from monitoring.sequential.result import SequentialResult, digest

PER_SIZE = 5  # buckets of one size before the two oldest become one of twice the size
SMALLEST_PART = 5


@dataclass(slots=True)
class _Bucket:
    count: int
    total: float
    squares: float  # about the bucket's own mean


def adwin(values: ArrayLike, *, delta: float = 0.002, every: int = 1, minimum: int = 10) -> SequentialResult:
    """Mean of the adaptive window; alarm when the window is cut for the first time.

    ``values`` (n,) in 0..1 or near it: the bound assumes that range. After each ``every`` points all splits between the
    buckets of an exponential histogram are tried; the older part goes when the means differ by more than
    √(2/m·σ²·ln(2/δ')) + 2/(3m)·ln(2/δ'), m the harmonic size of the two parts, δ' = δ/ln(window). ``statistic`` is the
    window's length, ``paths["mean"]`` its mean.

    References
    ----------
    Bifet & Gavaldà (2007), Learning from time-changing data with adaptive windowing, SIAM SDM.
    """
    series = finite_vector(values, name="values")
    if not 0 < delta < 1 or every < 1:
        raise InvalidInput("bad_design", f"delta {delta}, every {every}: give delta in 0..1 and every 1 or more")
    buckets: list[_Bucket] = []  # oldest first
    lengths, means = np.empty(series.size), np.empty(series.size)
    alarm = change = None
    for place, value in enumerate(series):
        buckets.append(_Bucket(1, float(value), 0.0))
        _compress(buckets)
        if (place + 1) % every == 0:
            dropped = _shrink(buckets, delta, minimum)
            if dropped and alarm is None:
                alarm, change = place, place + 1 - sum(bucket.count for bucket in buckets)
        lengths[place] = sum(bucket.count for bucket in buckets)
        means[place] = sum(bucket.total for bucket in buckets) / lengths[place]
    return SequentialResult(
        "adwin", lengths, np.full(series.size, np.inf), alarm, {"delta": delta, "every": every, "minimum": minimum},
        change_index=change, paths={"mean": means}, input_digest=digest(series),
        notes=("offered for compatibility: its false-alarm rate is not calibrated",),
    )  # fmt: skip


def _joined(first: _Bucket, second: _Bucket) -> _Bucket:
    count = first.count + second.count
    gap = second.total / second.count - first.total / first.count
    squares = first.squares + second.squares + gap**2 * first.count * second.count / count
    return _Bucket(count, first.total + second.total, squares)


def _compress(buckets: list[_Bucket]) -> None:
    """Join the two oldest of a size that has too many; sizes fall from old to new."""
    end = len(buckets)
    while end:
        size = buckets[end - 1].count
        start = end
        while start and buckets[start - 1].count == size:
            start -= 1
        if end - start <= PER_SIZE:
            return
        buckets[start : start + 2] = [_joined(buckets[start], buckets[start + 1])]
        end = start + 1


def _shrink(buckets: list[_Bucket], delta: float, minimum: int) -> bool:
    dropped = False
    while _differs(buckets, delta, minimum):
        del buckets[0]
        dropped = True
    return dropped


def _differs(buckets: list[_Bucket], delta: float, minimum: int) -> bool:
    length = sum(bucket.count for bucket in buckets)
    if length < minimum or len(buckets) < 2:
        return False
    whole = buckets[0]
    for bucket in buckets[1:]:
        whole = _joined(whole, bucket)
    variance = whole.squares / length
    confidence = math.log(2 * math.log(length) / delta)
    older, older_total = 0, 0.0
    for bucket in buckets[:-1]:
        older += bucket.count
        older_total += bucket.total
        newer = length - older
        if older < SMALLEST_PART or newer < SMALLEST_PART:
            continue
        harmonic = 1 / (1 / (older - SMALLEST_PART + 1) + 1 / (newer - SMALLEST_PART + 1))
        bound = math.sqrt(2 / harmonic * variance * confidence) + 2 / (3 * harmonic) * confidence
        if abs(older_total / older - (whole.total - older_total) / newer) > bound:
            return True
    return False
