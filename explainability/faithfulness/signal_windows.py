"""What the maps look at, over time: each scalar compared with the first window of enough maps. Needs no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import numpy as np
from scipy import stats

from assurance.evidence.finding import Finding, Interval, Method, NullLaw, State, Window
from records.canonical import content_hash

VERSION = "1"
ENOUGH_CASES = 50
UNITS = {"mass_in_region": "1", "entropy": "bit", "centroid_down": "1", "centroid_across": "1", "top_overlap": "1"}
WATCH, ACT = (0.2, 0.01), (0.5, 0.001)  # effect in sd and level of evidence, as for every drift of a scalar


def signal_findings(
    rows: Sequence[tuple[datetime, Mapping[str, float | None]]], *, method: str, days: int = 28,
    enough: int = ENOUGH_CASES, model_version: str = "",
) -> list[Finding]:  # fmt: skip
    """One Finding for each signal and window of ``days`` from the first map on: the mean with its t interval.

    ``rows`` are (study time, signals) of single maps. The first window with ``enough`` values is the reference; a later
    one with ``enough`` is judged by its distance in standard deviations of the reference and Welch's test, at the rows
    watch (0.2 sd, p ≤ 0.01) and act (0.5 sd, p ≤ 0.001). All others are ``insufficient``.

    References
    ----------
    Welch (1947), The generalization of Student's problem when several different population variances are involved,
    Biometrika 34:28–35.
    """
    if not rows:
        return []
    first = min(time for time, _ in rows)
    start = first.replace(hour=0, minute=0, second=0, microsecond=0)
    windows: dict[int, list[Mapping[str, float | None]]] = {}
    for time, signals in rows:
        windows.setdefault((time - start).days // days, []).append(signals)
    found = []
    for name, unit in UNITS.items():
        reference: np.ndarray | None = None
        for number in sorted(windows):
            values = np.array([float(row[name]) for row in windows[number] if row.get(name) is not None])  # type: ignore[arg-type]
            if not len(values):
                continue
            span = Window(start + timedelta(days=days * number), start + timedelta(days=days * (number + 1)))
            found.append(
                _finding(name, unit, values, reference, method=method, span=span, enough=enough, version=model_version)
            )
            if reference is None and len(values) >= enough:
                reference = values
    return found


def _finding(
    name: str, unit: str, values: np.ndarray, reference: np.ndarray | None, *, method: str, span: Window, enough: int,
    version: str,
) -> Finding:  # fmt: skip
    n, mean = len(values), float(values.mean())
    interval = null = effect = None
    if n > 1 and values.std() > 0:
        low, high = stats.t.interval(0.95, n - 1, loc=mean, scale=stats.sem(values))
        interval = Interval(float(low), float(high), 0.95, "t")
    state, reason = State.INSUFFICIENT, f"{n} maps in this window: {enough} are needed"
    if n >= enough and reference is None:
        reason = "the first window with enough maps: it is what later ones are compared with"
    elif n >= enough and reference is not None:
        sd = float(reference.std(ddof=1)) or float("nan")
        effect = abs(mean - float(reference.mean())) / sd
        p = float(stats.ttest_ind(values, reference, equal_var=False).pvalue)
        spread = float(np.sqrt(1 / n + 1 / len(reference)))
        limits = {level: float(stats.norm.ppf(place)) * spread for level, place in (("0.99", 0.995), ("0.999", 0.9995))}
        null = NullLaw("normal, standardised difference of means", limits, p)
        state = State.OK
        if effect >= ACT[0] and p <= ACT[1]:
            state = State.ACT
        elif effect >= WATCH[0] and p <= WATCH[1]:
            state = State.WATCH
        reason = ""
    return Finding(
        quantity=f"map_{name}", signal=method, value=mean, unit=unit, state=state, n_cases=n,
        method=Method("map_signals", "explainability.faithfulness.signal_windows", VERSION, {"of": method}),
        input_digest=content_hash(sorted(values.tolist())), interval=interval, null=null, effect=effect,
        minimum_n=enough, reference="first window of maps" if effect is not None else None,
        n_reference=len(reference) if effect is not None and reference is not None else None, window=span,
        reason=reason, model_version=version or None,
    )  # fmt: skip
