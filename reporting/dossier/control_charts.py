"""Control charts of a period: weekly means against their own past, and errors against what the plan allows.

Weeks, because a day's mix differs from a Sunday's, and disjoint, because overlapping windows look alike. Each point is
judged by the points before it (Hawkins' self-starting chart), since a year of weeks is too short to know mean and
spread beforehand.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assurance.evidence.errors import InvalidInput, NotComputable
from assurance.evidence.finding import Finding
from monitoring.sequential.catalogue import SEQUENTIAL

LEAST_CASES = 20  # of a week that makes a point
LEAST_POINTS = 8  # of a chart
POINTS_A_YEAR = 52.0
ERRORS = {"sensitivity": (1, "missed"), "specificity": (0, "called wrongly")}  # the class that the limit is about
MOST_PATH = 400  # points that a chart of cases shows
LEAST_STEP = 10  # cases between two points, so that no step of a chart tells of a single case


@dataclass(frozen=True)
class DaySum:
    """Cases of one signal on one day at one site, and the sum of their values."""

    day: date
    site: str
    signal: str
    n: int
    total: float


@dataclass(frozen=True)
class Week:
    start: date
    n: int
    mean: float


def weeks(days: Iterable[DaySum], *, start: date) -> list[Week]:
    """Points of a chart: weeks from ``start`` on with at least ``LEAST_CASES`` cases, all sites together."""
    found: dict[int, list[DaySum]] = {}
    for one in days:
        found.setdefault((one.day - start).days // 7, []).append(one)
    made = []
    for place in sorted(found):
        ordered = sorted(found[place], key=lambda d: (d.day, d.site))
        n = sum(d.n for d in ordered)
        if n >= LEAST_CASES:
            made.append(Week(start + timedelta(days=7 * place), n, sum(d.total for d in ordered) / n))
    return made


def weekly_charts(days: Iterable[DaySum], *, start: date) -> list[Finding]:
    """CUSUM, EWMA and, of the score, Shewhart charts of each signal with enough weeks.

    The false-alarm budget is one a year for all charts of the deployment together, so each has an ARL0 of 52 weeks
    times their number.
    """
    by_signal: dict[str, list[DaySum]] = {}
    for one in days:
        by_signal.setdefault(one.signal, []).append(one)
    points = {signal: weeks(found, start=start) for signal, found in sorted(by_signal.items())}
    points = {signal: found for signal, found in points.items() if len(found) >= LEAST_POINTS}
    wanted = [
        (signal, key) for signal in points for key in ("cusum", "ewma", *(("shewhart",) if signal == "score" else ()))
    ]
    made = []
    for signal, key in wanted:
        values = [week.mean for week in points[signal]]
        try:
            result = SEQUENTIAL.load(key)(values, self_starting=True, arl0=POINTS_A_YEAR * len(wanted))
        except (InvalidInput, NotComputable):
            continue
        finding: Finding = result.finding(signal=signal)
        details: dict[str, Any] = {
            **finding.details,
            "path": [float(v) for v in result.statistic],
            "step": "week",
            "weeks": [{"start": week.start.isoformat(), "n": week.n} for week in points[signal]],
        }
        if key == "ewma":
            details["upper"] = [float(v) for v in result.upper]
        cases = sum(week.n for week in points[signal])
        reason = finding.reason
        if result.alarm_index is not None:
            at = points[signal][result.alarm_index].start
            reason = f"the limit was crossed in the week from {at.isoformat()}"
        made.append(replace(finding, details=details, n_cases=cases, reason=reason))
    return made


def outcomes_of(
    labels: NDArray[np.float64], scores: NDArray[np.float64], *, quantity: str, threshold: float
) -> NDArray[np.int64]:
    """1 for each wrong case of the class that ``quantity`` (sensitivity, specificity) is about, in order."""
    about, _ = ERRORS[quantity]
    called = scores >= threshold
    return (called[labels == about] != bool(about)).astype(np.int64)


def error_charts(
    labels: NDArray[np.float64], scores: NDArray[np.float64], *, limits: Mapping[str, float], threshold: float
) -> list[Finding]:
    """An e-process for each limit on sensitivity or specificity: has the error rate risen above what the plan allows?

    ``labels`` (n,) 0 or 1 and ``scores`` (n,) in the order of the studies.
    """
    made = []
    for quantity in ERRORS:
        limit = limits.get(quantity)
        if limit is None or not 0 < limit < 1:
            continue
        outcomes = outcomes_of(labels, scores, quantity=quantity, threshold=threshold)
        if outcomes.size < LEAST_STEP:
            continue
        result = SEQUENTIAL.load("e_detector")(outcomes, p0=1 - limit)
        every = max(LEAST_STEP, -(-result.n // MOST_PATH))
        finding: Finding = result.finding(signal=f"1 − {quantity}")
        about, words = ERRORS[quantity]
        details = {
            **finding.details,
            "path": [float(v) for v in result.statistic[::every]],
            "every": every,
            "step": f"case of class {about}",
            "quantity": quantity,
            "threshold": threshold,
            "errors": int(outcomes.sum()),
            "words": words,
        }
        made.append(replace(finding, details=details))
    return made
