"""The evaluation of a period: every labelled case of it, by the same metrics as everywhere, stored as Findings."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from assurance.evidence.errors import InvalidInput, NotComputable
from assurance.evidence.finding import Finding
from assurance.metrics.performance import performance_findings, reliability
from assurance.metrics.prediction_table import PredictionTable, prediction_table
from assurance.models import Deployment, FindingRecord
from assurance.services.findings import store_finding
from monitoring.plan import read_plan
from monitoring.sequential.catalogue import SEQUENTIAL
from monitoring.services.plans import plan_of
from monitoring.services.references import reference_of
from reporting.dossier import numbers
from reporting.dossier.control_charts import LEAST_STEP, MOST_PATH, error_charts, weekly_charts
from reporting.dossier.recompute import ranks, roc_points
from reporting.models import Dossier
from reporting.selectors.day_states import day_sums
from reporting.selectors.labelled import LabelledCases

REPLICATES = 400
LEAST_COURSE = 50  # cases below which a path says nothing


def evaluate(dossier: Dossier, deployment: Deployment, cases: LabelledCases) -> list[FindingRecord]:
    """Store the performance of ``cases`` as Findings of the dossier's period. The same cases again add no row."""
    if not cases.n:
        return []
    plan, reference = plan_of(deployment), reference_of(deployment)
    limits = read_plan(plan.content).limits if plan else {}
    threshold = _threshold(dossier.version.thresholds)
    found = performance_findings(
        _table(cases), threshold=threshold, replicates=REPLICATES, limits=limits, interval="wilson"
    )
    # Without a window of its own: these are no window of monitoring, and must not stand among its newest ones.
    period = {"start": dossier.start.isoformat(), "end": dossier.end.isoformat()}
    found += course(cases)
    found += error_charts(cases.labels, cases.scores, limits=limits, threshold=threshold)
    place: dict[str, Any] = {"model_version": str(dossier.version)}
    if reference is not None:
        place["reference"] = f"{reference.name} {reference.sha256[:12]}"
        place["n_reference"] = reference.n_cases
    return [
        store_finding(
            replace(
                finding,
                details={**finding.details, "evaluation": period},
                signal=finding.signal or "score",
                **place,
            ),
            family="performance",
            deployment=deployment,
            version=dossier.version,
        )
        for finding in found
    ]


def chart_weeks(dossier: Dossier, deployment: Deployment) -> list[FindingRecord]:
    """Store control charts of the weekly means of every numeric signal. They need day states alone, no case."""
    period = {"start": dossier.start.isoformat(), "end": dossier.end.isoformat()}
    return [
        store_finding(
            replace(
                finding,
                details={**finding.details, "evaluation": period},
                model_version=str(dossier.version),
            ),
            family="output" if finding.signal == "score" or finding.signal.startswith("score_") else "input",
            deployment=deployment,
            version=dossier.version,
        )
        for finding in weekly_charts(day_sums(dossier, deployment), start=dossier.start.date())
    ]


def course(cases: LabelledCases) -> list[Finding]:
    """The risk-adjusted CUSUM of the outcomes against the scores, in the order of the studies, with its path.

    Empty where scores are no probabilities, or where no limit can be designed for so few cases.
    """
    if cases.n < LEAST_COURSE or cases.scores.min() < 0 or cases.scores.max() > 1:
        return []
    try:
        result = SEQUENTIAL.load("risk_adjusted_cusum")(cases.labels, risks=cases.scores)
    except (InvalidInput, NotComputable):
        return []
    every = max(LEAST_STEP, -(-result.n // MOST_PATH))
    finding: Finding = result.finding()
    path = [float(value) for value in result.statistic[::every]]
    return [replace(finding, details={**finding.details, "path": path, "every": every, "step": "case"})]


def reliability_diagrams(
    cases: LabelledCases, records: list[FindingRecord], *, where: str = ""
) -> list[dict[str, Any]]:
    if not cases.n or cases.scores.min() < 0 or cases.scores.max() > 1:
        return []
    cited = [
        r.evidence_id
        for r in records
        if r.quantity in ("calibration_slope", "calibration_intercept", "smooth_ece") and not r.stratum
    ]
    diagrams = []
    for name, bins in reliability(_table(cases)).items():
        points = [
            {"score": b["mean_score"], "observed": b["observed_share"], "n": b["n_cases"], **_wilson(b)}
            for b in bins
            if b["n_cases"]
        ]
        text = (
            f"{cases.n:,} labelled cases in {len(points)} bins of equal size; bars are 95 % Wilson "
            "intervals, the dashed line is perfect calibration."
        )
        diagrams.append(
            {
                "title": f"Reliability of the score{f' of {name}' if name else ''}{where}",
                "text": text,
                "data": {"bins": points},
                "evidence": cited,
            }
        )
    return diagrams


def roc_curves(
    cases: LabelledCases, records: list[FindingRecord], *, threshold: float, where: str = ""
) -> list[dict[str, Any]]:
    """One chart: all cases, then the sites with cases of both classes."""
    if not cases.n or len(set(cases.labels.tolist())) < 2:
        return []
    curves = [{"name": f"all cases (n {cases.n:,})", "points": roc_points(ranks(cases.labels, cases.scores))}]
    names = sorted(set(cases.sites.tolist()))
    for site in names[:5] if len(names) > 1 else ():
        here = cases.sites == site
        if len(set(cases.labels[here].tolist())) == 2:
            curves.append(
                {
                    "name": f"{site} (n {int(here.sum()):,})",
                    "points": roc_points(ranks(cases.labels[here], cases.scores[here])),
                }
            )
    called, truth = cases.scores >= threshold, cases.labels == 1
    mark = {
        "x": round(float(called[~truth].mean()), 6),
        "y": round(float(called[truth].mean()), 6),
        "word": f"threshold {numbers.printed(threshold)}",
    }
    cited = [
        r.evidence_id
        for r in records
        if r.quantity in ("auroc", "sensitivity", "specificity") and r.stratum in ("", *(f"site={s}" for s in names))
    ]
    text = f"{cases.n:,} labelled cases. The square is the operating point in use."
    return [
        {
            "title": f"ROC curve of the period{where}",
            "text": text,
            "data": {"curves": curves, "marks": [mark]},
            "evidence": cited,
        }
    ]


def threshold_of(dossier: Dossier) -> float:
    return _threshold(dossier.version.thresholds)


def _threshold(thresholds: Any) -> float:
    """The first number among the version's thresholds, else one half."""
    values = thresholds.values() if isinstance(thresholds, dict) else ()
    return next((float(v) for v in values if isinstance(v, int | float) and not isinstance(v, bool)), 0.5)


def _table(cases: LabelledCases) -> PredictionTable:
    columns: dict[str, Any] = {"label": cases.labels, "score": cases.scores, "site": cases.sites}
    if cases.patients is not None:
        columns["patient_id"] = cases.patients
    factors = {name: _levels(values) for name, values in cases.factors.items()}
    usable = {name: values for name, values in factors.items() if 1 < len(set(values.tolist())) <= 1000}
    return prediction_table({**columns, **usable}, by=sorted(usable))


def _levels(values: Any) -> Any:
    known = [value for value in values if value is not None]
    if known and all(isinstance(value, int | float) for value in known):
        return np.array([np.nan if value is None else float(value) for value in values])
    return np.array(["unknown" if value is None else str(value) for value in values], dtype=object)


def _wilson(point: dict[str, float]) -> dict[str, float]:
    from assurance.metrics.proportions import wilson

    interval = wilson(point["observed_share"] * point["n_cases"], point["n_cases"])
    return {"low": interval.low, "high": interval.high}
