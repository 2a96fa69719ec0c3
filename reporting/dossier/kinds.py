"""Which kind of evidence a Finding is, from its family, quantity and place alone: new methods need no line here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CALIBRATION = ("calibration", "ece", "brier", "observed_expected", "smooth_ece", "reliability")
OPERATING = ("sensitivity", "specificity", "ppv", "npv", "accuracy", "net_benefit")
FAIRNESS = ("equal_opportunity", "equalised_odds", "worst_group", "_gap")
SYNTHETIC = (
    "synthetic",
    "memoris",
    "memoriz",
    "membership",
    "fidelity",
    "diversity",
    "utility",
    "frechet",
    "precision_",
)


def evidence_kind(family: str, finding: Mapping[str, Any]) -> str:
    """The evidence kind (an id of ``evidence_kinds.yaml``) that ``finding`` proves."""
    quantity, stratum = str(finding["quantity"]), finding.get("stratum") or {}
    if family == "input":
        return "monitoring.results" if quantity == "volume" else "drift.input"
    if family == "output":
        return "drift.prediction"
    if family == "explanation":
        return "explainability.sanity_checks"
    if family == "generalizability":
        return _generalizability(quantity, stratum)
    if any(mark in quantity for mark in CALIBRATION):
        return "calibration"
    if any(mark in quantity for mark in FAIRNESS):
        return "fairness.assessment"
    if finding.get("window") and "evaluation" not in (finding.get("details") or {}):
        return "drift.performance"
    if "site" in stratum or "pooled" in quantity:
        return "generalizability.multi_site"
    if set(stratum) - {"set"}:
        return "performance.subgroup"
    return "performance.operating_points" if quantity in OPERATING else "performance.overall"


def _generalizability(quantity: str, stratum: Mapping[str, str]) -> str:
    if any(mark in quantity for mark in SYNTHETIC):
        return "synthetic_data.privacy" if "member" in quantity or "memori" in quantity else "synthetic_data.quality"
    if {"shift", "severity"} & set(stratum) or "robust" in quantity or "shift" in quantity or "loss" in quantity:
        return "robustness.acquisition_shift"
    if "transport" in quantity or "external" in quantity:
        return "generalizability.external"
    return "generalizability.multi_site"
