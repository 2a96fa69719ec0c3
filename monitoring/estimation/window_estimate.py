"""All estimates that two prediction tables allow: label-free ones, and PPI++ once the current one has some labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assurance.evidence.errors import InvalidInput, NotComputable
from assurance.evidence.finding import Finding, State
from assurance.metrics.measured import array_digest, method_record
from assurance.metrics.prediction_table import PredictionTable, Target
from monitoring.estimation.catalogue import ESTIMATORS
from monitoring.estimation.performance_range import range_over

DEFAULT = ("cbpe", "cm_atc", "cm_doc", "performance_range", "label_shift", "ppi")
FEATURE_PREFIXES = ("emb_", "q_")
Progress = Callable[[str], None]


def estimate_findings(
    reference: PredictionTable,
    current: PredictionTable,
    *,
    estimators: Sequence[str] = DEFAULT,
    threshold: float = 0.5,
    calibration: str = "auto",
    level: float = 0.95,
    replicates: int = 200,
    seed: int = 0,
    reference_features: NDArray[np.float64] | None = None,
    current_features: NDArray[np.float64] | None = None,
    progress: Progress = lambda line: None,
) -> list[Finding]:
    """Findings of each target that both tables hold, for each of ``estimators`` (catalogue keys).

    ``ppi`` runs where the current table has labels on some rows and none on others; the labelled ones must then be a
    random draw. ``m_cbpe`` needs features. An estimator without a value gives one Finding with its reason.

    Raises
    ------
    InvalidInput
        ``no_common_target``, ``unknown_key``, or an estimator that does not work on two tables (``wrong_estimator``).
    """
    for key in estimators:
        if ESTIMATORS[key].facts["input"] not in ("label_free", "few_labels"):
            raise InvalidInput("wrong_estimator", f"{key} does not work on two prediction files: call it from Python")
    theirs = {target.name: target for target in current.targets}
    common = [(target, theirs[target.name]) for target in reference.targets if target.name in theirs]
    if not common:
        raise InvalidInput(
            "no_common_target", "the two files predict different things: give the same score columns in both"
        )
    options = {"threshold": threshold, "level": level, "replicates": replicates, "seed": seed}
    features = {"reference_features": reference_features, "current_features": current_features}
    findings: list[Finding] = []
    for before, now in common:
        made: dict[str, list[Finding]] = {}
        for key in estimators:
            progress(f"{before.name or 'the score'}: {ESTIMATORS[key].title}")
            try:
                if ESTIMATORS[key].facts["input"] == "few_labels":
                    made[key] = _powered(key, now, current, threshold, level)
                elif key == "performance_range" and {"cbpe", "cm_atc", "cm_doc"} <= set(made):
                    made[key] = range_over(made)
                else:
                    given = _window(before, reference, now, current)
                    extra: dict[str, Any] = {}
                    if key not in ("cm_atc", "cm_doc"):
                        extra["calibration"] = calibration
                    if key == "m_cbpe":
                        extra |= _chosen_features(features, before, now)
                    made[key] = ESTIMATORS.load(key)(*given[0], **given[1], **options, **extra)
            except NotComputable as refusal:
                made[key] = [_without_value(key, now, refusal.message)]
        findings += [finding.placed(signal=before.name) for part in made.values() for finding in part]
    return findings


def numeric_features(columns: dict[str, NDArray[Any]], *, names: Sequence[str] | None = None) -> tuple[Any, list[str]]:
    """Embedding and quality columns (``emb_…``, ``q_…``) as (n, d) and their names; None where there are none."""
    wanted = list(names) if names is not None else [name for name in columns if name.startswith(FEATURE_PREFIXES)]
    if not wanted:
        return None, []
    if missing := [name for name in wanted if name not in columns]:
        raise InvalidInput("missing_column", f"there is no column {missing[0]!r}: give the same features in both files")
    return np.column_stack([np.asarray(columns[name], dtype=np.float64) for name in wanted]), wanted


def _window(
    before: Target, reference: PredictionTable, now: Target, current: PredictionTable
) -> tuple[tuple[Any, Any, Any], dict[str, Any]]:
    labelled, scored = _labelled(before), ~np.isnan(now.scores)
    if not scored.any():
        raise NotComputable("no_scores", "the current window holds no score")
    patients = {
        "reference_patients": None if reference.patients is None else reference.patients[labelled],
        "current_patients": None if current.patients is None else current.patients[scored],
    }
    return (before.labels[labelled], before.scores[labelled], now.scores[scored]), patients


def _labelled(target: Target) -> NDArray[np.bool_]:
    held = ~np.isnan(target.labels) & ~np.isnan(target.scores)
    if not held.any():
        raise NotComputable("no_labels", "the reference holds no row with both a label and a score")
    return np.asarray(held)


def _chosen_features(features: dict[str, Any], before: Target, now: Target) -> dict[str, Any]:
    if any(table is None for table in features.values()):
        raise NotComputable("no_features", "M-CBPE needs embedding or quality columns (emb_…, q_…) in both files")
    rows = {"reference_features": _labelled(before), "current_features": ~np.isnan(now.scores)}
    return {name: features[name][rows[name]] for name in features}


def _powered(key: str, now: Target, current: PredictionTable, threshold: float, level: float) -> list[Finding]:
    labelled = ~np.isnan(now.labels) & ~np.isnan(now.scores)
    others = np.isnan(now.labels) & ~np.isnan(now.scores)
    if labelled.sum() < 2 or others.sum() < 2:
        raise NotComputable(
            "not_partly_labelled",
            f"{int(labelled.sum())} rows with and {int(others.sum())} without a label: two or more of each are needed",
        )
    groups = {}
    if current.patients is not None:
        groups = {"patients": current.patients[labelled], "unlabelled_patients": current.patients[others]}
    estimate = ESTIMATORS.load(key)
    found: list[Finding] = estimate(
        now.labels[labelled], now.scores[labelled], now.scores[others], threshold=threshold, level=level, **groups
    )
    return found


def _without_value(key: str, now: Target, reason: str) -> Finding:
    return Finding(
        quantity=f"estimated_performance_{key}",
        value=None,
        unit="1",
        state=State.INSUFFICIENT,
        reason=reason,
        n_cases=now.scores.size,
        method=method_record(key, ESTIMATORS[key].target),
        input_digest=array_digest(scores=now.scores),
    )
