"""Evidence AND effect: an alarm needs more than chance gives at this size, and enough to matter."""

from __future__ import annotations

import math

from assurance.evidence.finding import State
from monitoring.drift.thresholds import Row


def verdict(
    *, effect: float, p_value: float, n: int, m: int, row: Row, alpha_watch: float, alpha_act: float
) -> tuple[State, str, int]:
    """State, reason (for ``insufficient``) and the smallest current window that allows a verdict.

    ``effect`` is in the unit of ``row``; n and m are the sizes of reference and current window. A small reference
    raises the minimum, since chance grows with √(1/n + 1/m). Between the two minimums a window may say ``act`` but not
    ``ok``: it is too small to see what only deserves watching.
    """
    act_n, watch_n = needed(row.act_n, n), needed(row.watch_n, n)
    if m < act_n:
        return (
            State.INSUFFICIENT,
            f"{m} cases: at least {_say(act_n)} are needed to see a change worth acting on",
            row.act_n,
        )
    if effect >= row.act and p_value <= alpha_act:
        return State.ACT, "", row.act_n
    if m < watch_n:
        if effect >= row.watch and p_value <= alpha_watch:
            return State.WATCH, "", row.watch_n
        return (
            State.INSUFFICIENT,
            f"{m} cases: a change worth acting on would show, one worth watching needs {_say(watch_n)}",
            row.watch_n,
        )
    if effect >= row.watch and p_value <= alpha_watch:
        return State.WATCH, "", row.watch_n
    return State.OK, "", row.watch_n


def needed(minimum: int, n: int) -> float:
    """The current size with the noise of ``minimum`` cases against an endless reference, when the reference has n."""
    return math.inf if n <= minimum else 1 / (1 / minimum - 1 / n)


def _say(size: float) -> str:
    return "a larger reference and more cases" if math.isinf(size) else str(math.ceil(size))
