"""Realised performance of a span of cases whose truth has come: AUROC from labels, means of per-case measures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from assurance.evidence.errors import NotComputable
from assurance.evidence.finding import Finding, State
from assurance.metrics.catalogue import METRICS
from assurance.metrics.measured import array_digest, method_record
from monitoring.plan import Plan

CASE_MEASURES = {"dice": {"failure_below": 0.1}}  # per-case measures that are averaged, with what counts as a failure


def performance_findings(quantity: str, rows: pa.Table, *, plan: Plan, several_sites: bool) -> Iterator[Finding]:
    """Findings of the whole and of each site. ``rows`` has site, patient, score and value of one quantity."""
    sites = np.asarray(rows.column("site").to_pylist(), dtype=object)
    groups: list[tuple[dict[str, str], Any]] = [({}, np.ones(sites.size, dtype=bool))]
    if several_sites:
        groups += [({"site": site}, sites == site) for site in sorted(set(sites.tolist()))]
    values = rows.column("value").to_numpy()
    scores = rows.column("score").to_numpy()
    patients = np.asarray(rows.column("patient").to_pylist(), dtype=object)
    for stratum, here in groups:
        if not here.any():
            continue
        known = patients[here]
        group = known if all(known) else None
        finding = (
            _auroc(values[here], scores[here], group, plan) if quantity == "label"
            else _case_mean(quantity, values[here], group, plan)
        )  # fmt: skip
        yield replace(finding, stratum=stratum)


def _auroc(labels: Any, scores: Any, patients: Any, plan: Plan) -> Finding:
    usable = np.isfinite(scores)
    labels, scores = labels[usable], scores[usable]
    patients = None if patients is None else patients[usable]
    try:
        found: Finding = METRICS.load("auroc")(
            labels, scores, patients=patients, seed=plan.seed, limit=plan.limits.get("auroc")
        )
    except NotComputable as reason:
        return Finding(
            quantity="auroc", value=None, unit="1", state=State.INSUFFICIENT, reason=reason.message,
            n_cases=labels.size, method=method_record("auroc", METRICS["auroc"].target),
            input_digest=array_digest(labels=labels, scores=scores, patients=patients),
        )  # fmt: skip
    return found


def _case_mean(quantity: str, values: Any, patients: Any, plan: Plan) -> Finding:
    # One patient gives no spread over patients; its cases are then the units, and n_patients says so.
    units = patients if patients is not None and len(set(patients.tolist())) > 1 else None
    finding: Finding = METRICS.load("case_mean")(
        values, patients=units, seed=plan.seed, limit=plan.limits.get(quantity), **CASE_MEASURES.get(quantity, {})
    )
    n_patients = None if patients is None else len(set(patients.tolist()))
    return replace(finding, quantity=quantity, n_patients=n_patients)
