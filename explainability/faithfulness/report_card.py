"""The verdict over many cases that opens or bars a method's way into dossiers. Needs no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

from assurance.evidence.finding import Finding, Interval, Method, State
from explainability.faithfulness.catalogue import CHECKS
from records.canonical import content_hash

VERSION = "1"
ENOUGH_CASES = 50
SHARE_LIMIT = 0.9
RULES = {  # how a check is judged over cases; what is not named is reported with its mean
    "completeness": "share", "randomisation": "share", "cascading_randomisation": "share",
    "deletion": "gain", "insertion": "gain", "pointing_game": "gain", "relevance_mass": "gain",
    "relevance_rank": "gain", "infidelity": "gain", "noise_stability": "median",
}  # fmt: skip
MEDIAN_LIMIT = 0.7


def card(
    cases: Sequence[Sequence[Mapping[str, Any]]], *, method: str, model_version: str = "", enough: int = ENOUGH_CASES,
    seed: int = 0,
) -> list[Finding]:  # fmt: skip
    """The verdict over ``cases``, each the contents of one map's Findings; the last Finding is the whole card.

    A check with a value in fewer than ``enough`` cases is ``insufficient``. Judged checks: ``share`` passes where the
    check holds in at least 90 % of cases (Wilson interval), ``gain`` where the mean gain over chance has a 95 %
    interval above 0 (percentile bootstrap, 2,000 draws of cases), ``median`` where the median lies above 0.7. A check
    that fails is ``act``, and so is then the card: the method is barred from dossiers for this version.
    """
    rows: dict[str, list[Mapping[str, Any]]] = {}
    for findings in cases:
        for content in findings:
            rows.setdefault(content["quantity"], []).append(content)
    found = [
        _judge(key, rows[key], method=method, version=model_version, enough=enough, seed=seed)
        for key in CHECKS
        if key in rows
    ]
    judged = [item for item in found if item.method.key in RULES and item.state is not State.INSUFFICIENT]
    failed = [item.quantity for item in found if item.state is State.ACT]
    state = State.ACT if failed else State.OK if judged else State.INSUFFICIENT
    reason = ""
    if failed:
        titles = ", ".join(CHECKS[key.removeprefix("card_")].title for key in failed)
        reason = f"fails {titles} over {len(cases)} cases"
    elif cases and not rows:
        reason = "no check of faithfulness applies: these maps answer another question than where the model looks"
    elif not judged:
        reason = f"{len(cases)} cases with this map: a card needs {enough}"
    value = (len(judged) - len(failed)) / len(judged) if judged else None
    found.append(
        Finding(
            quantity="report_card", signal=method, value=value, unit="1", state=state, n_cases=len(cases),
            method=Method("report_card", "explainability.faithfulness.report_card", VERSION,
                          {"of": method, "enough": enough, "share_limit": SHARE_LIMIT, "median_limit": MEDIAN_LIMIT},
                          seed),
            input_digest=content_hash([item.digest() for item in found]), minimum_n=enough, reason=reason,
            model_version=model_version or None, details={"judged": len(judged), "failed": failed},
        )
    )  # fmt: skip
    return found


def margin(content: Mapping[str, Any]) -> float:
    """How far one case lies above chance: the check's own gain, its distance from the area share, or from Saliency."""
    value, details = float(content["value"]), content.get("details", {})
    if content["quantity"] in ("pointing_game", "relevance_mass", "relevance_rank"):
        return value - float(details["area_share"])
    if content["quantity"] == "infidelity":
        return float(details.get("saliency", value)) - value
    return value


def _judge(
    key: str, rows: Sequence[Mapping[str, Any]], *, method: str, version: str, enough: int, seed: int
) -> Finding:
    valued = [row for row in rows if row["value"] is not None]
    rule = RULES.get(key, "mean")
    if key == "infidelity" and method.startswith("saliency"):
        rule = "mean"  # it is the yardstick itself
    n = len(valued)
    value: float | None = None
    interval: Interval | None = None
    passed: bool | None = None
    if n:
        numbers = np.array([margin(row) if rule == "gain" else float(row["value"]) for row in valued])
        if rule == "share":
            hits = sum(row["state"] == State.OK.value for row in valued)
            wilson = stats.binomtest(hits, n).proportion_ci(0.95, "wilson")
            value, interval = hits / n, Interval(float(wilson.low), float(wilson.high), 0.95, "wilson")
            passed = value >= SHARE_LIMIT
        elif rule == "median":
            value, interval = _bootstrap(numbers, np.median, seed)
            passed = value > MEDIAN_LIMIT
        else:
            value, interval = _bootstrap(numbers, np.mean, seed)
            passed = interval.low > 0 if rule == "gain" else None
    state, reason = State.INSUFFICIENT, ""
    if n < enough:
        reason = f"{n} cases with a value: {enough} are needed"
        if not n and rows[0]["reason"]:
            reason = str(rows[0]["reason"])
    elif passed is None:
        reason = "reported, not judged: no limit is agreed for this measure"
    else:
        state = State.OK if passed else State.ACT
    return Finding(
        quantity=f"card_{key}", signal=method, value=value, unit="1", state=state, n_cases=n,
        method=Method(key, "explainability.faithfulness.report_card", VERSION, {"rule": rule, "of": method}, seed),
        input_digest=content_hash([content_hash(dict(row)) for row in rows]), interval=interval, minimum_n=enough,
        reason=reason, model_version=version or None, details={"not_computable": len(rows) - n},
    )  # fmt: skip


def _bootstrap(values: np.ndarray, statistic: Callable[..., Any], seed: int) -> tuple[float, Interval]:
    rng = np.random.default_rng(seed)
    draws = statistic(values[rng.integers(0, len(values), (2000, len(values)))], axis=1)
    low, high = np.quantile(draws, [0.025, 0.975])
    value = float(statistic(values))
    return value, Interval(min(float(low), value), max(float(high), value), 0.95, "percentile bootstrap of cases")
