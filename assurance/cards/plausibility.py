"""Whether a card can be true: impossible numbers, numbers without data, groups that are missing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from assurance.cards.answers import measures_of
from assurance.cards.exchange import CardFacts, full_measure
from assurance.cards.fields import CardSchema

SHARES = (
    "auroc", "auc", "sensitivity", "specificity", "accuracy", "ppv", "npv", "precision", "recall", "f1", "dice",
    "iou", "jaccard", "average_precision", "brier", "ece", "balanced_accuracy", "surface_dice", "prevalence",
)  # fmt: skip
NOT_NEGATIVE = ("hausdorff", "hd95", "assd", "mae", "rmse", "nll", "volume_error")
SUBGROUPS = ("sex", "age")


@dataclass(frozen=True, slots=True)
class Problem:
    """``code`` is stable for programs, ``message`` is one sentence for people."""

    field: str
    code: str
    message: str


def problems_in(answers: Mapping[str, Mapping[str, Any]], schema: CardSchema, facts: CardFacts) -> list[Problem]:
    """Everything that does not look right, in the order of the card's fields."""
    found = []
    for field in schema:
        answer = answers.get(field.id)
        if answer is None or answer.get("status") != "answered" or not field.is_measure:
            continue
        for row in measures_of(answer):
            found += list(_of_measure(field.id, full_measure(row, facts), row))
    found += list(_subgroups(answers))
    found += list(_overlap(answers))
    found += list(_identity(answers, facts))
    return found


def _of_measure(field: str, row: Mapping[str, Any], typed: Mapping[str, Any]) -> Iterator[Problem]:
    metric = str(row.get("metric", "")).strip()
    name = metric.lower().replace(" ", "_").replace("-", "_")
    value, low, high, n = (row.get(part) for part in ("value", "ci_low", "ci_high", "n"))
    if not metric:
        yield Problem(field, "no_metric", "a measure has no metric: name what was measured")
    if not row.get("dataset"):
        yield Problem(field, "no_dataset", f"{metric or 'a measure'} names no dataset: say on which data it holds")
    percent = str(row.get("unit", "")).strip() == "%"
    top = 100 if percent else 1
    if value is not None:
        if name in SHARES and not 0 <= value <= top:
            yield Problem(field, "impossible_value", f"{metric} is {value}: it lies between 0 and {top}")
        if name in NOT_NEGATIVE and value < 0:
            yield Problem(field, "impossible_value", f"{metric} is {value}: it is never negative")
        if low is not None and high is not None and not low <= value <= high:
            yield Problem(field, "interval_misses_value", f"{metric} {value} lies outside its interval {low} to {high}")
        if low is None or high is None:
            yield Problem(field, "no_interval", f"{metric} {value} has no interval")
    elif not row.get("finding"):
        yield Problem(field, "no_value", f"{metric or 'a measure'} has neither a value nor a Finding")
    if low is not None and high is not None and low > high:
        yield Problem(field, "interval_reversed", f"the interval of {metric} ends before it starts: {low} to {high}")
    if n is not None and (n <= 0 or n != int(n)):
        yield Problem(field, "impossible_count", f"{metric} was measured on {n} cases: give a whole number above 0")
    if value is not None and n is None:
        yield Problem(field, "no_count", f"{metric} does not say on how many cases it holds")
    if typed.get("finding") and typed.get("value") is not None and value is not None:
        yield Problem(field, "typed_beside_finding", f"{metric} has a typed value beside its Finding: keep the Finding")


def _subgroups(answers: Mapping[str, Mapping[str, Any]]) -> Iterator[Problem]:
    overall = answers.get("performance.internal", {})
    groups = answers.get("fairness.subgroups", {})
    if overall.get("status") != "answered":
        return
    if groups.get("status") != "answered":
        if not groups:
            yield Problem("fairness.subgroups", "no_subgroup", "performance is given and no subgroup: add sex and age")
        return
    text = " ".join(str(row).lower() for row in measures_of(groups))
    for factor in SUBGROUPS:
        if not re.search(rf"\b{factor}\b", text.replace("_", " ")):
            yield Problem("fairness.subgroups", "missing_subgroup", f"no subgroup by {factor}: add it, or say why not")


def _overlap(answers: Mapping[str, Mapping[str, Any]]) -> Iterator[Problem]:
    training, testing = (_datasets(answers.get(f"{part}.datasets")) for part in ("training_data", "eval_data"))
    for name in sorted(set(training) & set(testing)):
        yield Problem(
            "eval_data.datasets",
            "test_in_training",
            f"{name!r} stands under development and evaluation: name the parts",
        )


def _datasets(answer: Mapping[str, Any] | None) -> list[str]:
    """Names and hashes of datasets, in lower case: either in common is an overlap."""
    value = (answer or {}).get("value") or []
    names = []
    for one in value if isinstance(value, list) else []:
        parts = [one.get("sha256"), one.get("name")] if isinstance(one, Mapping) else [one]
        names += [str(part).strip().lower() for part in parts if part]
    return names


def _identity(answers: Mapping[str, Mapping[str, Any]], facts: CardFacts) -> Iterator[Problem]:
    for field, known in (("identity.version", facts.version), ("identity.model_hash", facts.weights_sha256)):
        said = answers.get(field, {}).get("value")
        if said and str(said) != known:
            yield Problem(field, "other_version", f"the card says {str(said)[:20]}, the registry {known[:20]}")
