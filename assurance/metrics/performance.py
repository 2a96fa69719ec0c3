"""A whole performance report from one prediction table: metrics, calibration, sites and subgroups as Findings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assurance.evidence.errors import NotComputable
from assurance.evidence.finding import Finding, State
from assurance.metrics.calibration_error import reliability_bins
from assurance.metrics.catalogue import METRICS
from assurance.metrics.measured import array_digest, method_record
from assurance.metrics.prediction_table import PredictionTable, Target
from assurance.metrics.site_pooling import pooled_auroc
from assurance.metrics.subgroups import equal_opportunity, equalised_odds, subgroup_gap, worst_group

WHOLE = tuple(key for key, entry in METRICS.items() if entry.facts["input"] == "labels_scores")
PER_STRATUM = (
    "auroc",
    "sensitivity",
    "specificity",
    "ppv",
    "npv",
    "brier",
    "calibration_intercept",
    "observed_expected",
)
Progress = Callable[[str], None]


def performance_findings(
    table: PredictionTable,
    *,
    threshold: float = 0.5,
    level: float = 0.95,
    replicates: int = 1000,
    seed: int = 0,
    minimum_events: int = 20,
    interval: str = "wilson",
    limits: Mapping[str, float] | None = None,
    progress: Progress = lambda line: None,
) -> list[Finding]:
    """All Findings that ``table`` allows: each target whole, per site, per subgroup level, then gaps and pooling.

    Rows without a label or without a score do not enter; their number stands in ``details`` of the ``label_share``
    Finding of the target. A metric without a value is a Finding with the reason, never an omission. Calibration metrics
    need scores in 0..1 and are otherwise given with the reason ``not probabilities``.

    ``limits`` maps metric keys to declared limits, applied to the whole and to every site.
    """
    options: dict[str, Any] = {
        "threshold": threshold,
        "level": level,
        "replicates": replicates,
        "seed": seed,
        "minimum_events": minimum_events,
        "interval": interval,
        "limits": dict(limits or {}),
    }
    findings: list[Finding] = []
    for target in table.targets:
        progress(f"{target.name or 'the score'}: {table.n_rows} rows")
        findings += [finding.placed(signal=target.name) for finding in _target_findings(table, target, options)]
    return findings


def reliability(table: PredictionTable, *, bins: int = 10) -> dict[str, list[dict[str, float]]]:
    """Points of the reliability diagram for each target whose scores are probabilities."""
    diagrams = {}
    for target in table.targets:
        used = ~np.isnan(target.labels) & ~np.isnan(target.scores)
        scores = target.scores[used]
        if scores.size and scores.min() >= 0 and scores.max() <= 1:
            diagrams[target.name] = reliability_bins(target.labels[used], scores, bins=bins)
    return diagrams


def _target_findings(table: PredictionTable, target: Target, options: dict[str, Any]) -> Iterator[Finding]:
    used = ~np.isnan(target.labels) & ~np.isnan(target.scores)
    yield _label_share(target, used)
    labels, scores = target.labels[used], target.scores[used]
    patients = None if table.patients is None else table.patients[used]
    for key in WHOLE:
        yield _metric(key, labels, scores, patients, options)
    if not scores.size:
        return
    for factor, all_levels in table.factors.items():
        levels = all_levels[used]
        names = np.unique(levels).tolist()
        if len(names) < 2 and factor != "site":
            continue
        for name in names:
            here = levels == name
            group = None if patients is None else patients[here]
            for key in PER_STRATUM:
                yield _metric(key, labels[here], scores[here], group, options).placed(stratum={factor: name})
        yield from _comparisons(factor, labels, scores, levels, patients, options)
    if "site" in table.factors and np.unique(table.factors["site"][used]).size > 1:
        yield pooled_auroc(labels, scores, table.factors["site"][used], patients=patients, level=options["level"])


def _comparisons(
    factor: str,
    labels: NDArray[np.float64],
    scores: NDArray[np.float64],
    levels: NDArray[np.str_],
    patients: NDArray[Any] | None,
    options: dict[str, Any],
) -> Iterator[Finding]:
    shared = {name: options[name] for name in ("threshold", "level", "replicates", "seed", "minimum_events")}
    for compare in (subgroup_gap, equal_opportunity, equalised_odds, worst_group):
        key = {"subgroup_gap": "auroc_gap", "worst_group": "worst_group_auroc"}.get(compare.__name__, compare.__name__)
        try:
            finding = compare(labels, scores, levels, patients=patients, **shared)
        except NotComputable as reason:
            finding = _without_value(key, labels, scores, patients, reason.message)
        yield finding.placed(stratum={"compared": factor})


def _metric(
    key: str,
    labels: NDArray[np.float64],
    scores: NDArray[np.float64],
    patients: NDArray[Any] | None,
    options: dict[str, Any],
) -> Finding:
    facts = METRICS[key].facts
    if not labels.size:
        return _without_value(key, labels, scores, patients, "no row has both a label and a score")
    if facts.get("probability") and (scores.min() < 0 or scores.max() > 1):
        reason = f"the scores reach from {scores.min():g} to {scores.max():g}: calibration needs probabilities in 0..1"
        return _without_value(key, labels, scores, patients, reason)
    arguments: dict[str, Any] = {"patients": patients, "level": options["level"]}
    if facts.get("threshold"):
        arguments["threshold"] = options["threshold"]
    if key in ("auroc", "average_precision", "brier", "net_benefit"):
        arguments |= {"replicates": options["replicates"], "seed": options["seed"]}
    if key in ("sensitivity", "specificity", "ppv", "npv", "accuracy"):
        arguments["interval"] = options["interval"]
    if key in options["limits"]:
        arguments["limit"] = options["limits"][key]
    try:
        return METRICS.load(key)(labels, scores, **arguments)  # type: ignore[no-any-return]
    except NotComputable as reason:
        return _without_value(key, labels, scores, patients, reason.message)


def _label_share(target: Target, used: NDArray[np.bool_]) -> Finding:
    no_label, no_score = int(np.isnan(target.labels).sum()), int(np.isnan(target.scores).sum())
    few = not used.any()
    return Finding(
        quantity="label_share",
        value=float(used.mean()),
        unit="1",
        state=State.INSUFFICIENT if few else State.OK,
        reason="no row has both a label and a score" if few else "",
        n_cases=used.size,
        method=method_record("label_share", "assurance.metrics.performance:performance_findings"),
        input_digest=array_digest(used=used),
        details={"n_used": int(used.sum()), "n_without_label": no_label, "n_without_score": no_score},
    )


def _without_value(
    key: str, labels: NDArray[np.float64], scores: NDArray[np.float64], patients: NDArray[Any] | None, reason: str
) -> Finding:
    return Finding(
        quantity=key,
        value=None,
        unit=str(METRICS[key].facts["unit"]) if key in METRICS else "1",
        state=State.INSUFFICIENT,
        reason=reason,
        n_cases=labels.size,
        n_patients=None if patients is None else int(np.unique(patients).size),
        method=method_record(key, METRICS[key].target if key in METRICS else f"assurance.metrics.subgroups:{key}"),
        input_digest=array_digest(labels=labels, scores=scores, patients=patients),
    )
