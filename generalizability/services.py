"""What a deployment says about other sites and other scanners, as stored findings."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from django.db import transaction
from scipy import special, stats

from assurance.adapters.prompts import Prompt
from assurance.evidence.errors import InvalidInput, NotComputable
from assurance.evidence.finding import Finding, State
from assurance.metrics.measured import interval_around, method_record
from assurance.models import CaseFile, Deployment, FindingRecord
from assurance.selectors.findings import current
from assurance.services.case_files import case_array
from assurance.services.findings import store_finding
from generalizability.shifts.catalogue import SHIFTS
from generalizability.shifts.robustness import SEVERITIES, paired_change, severity_slope
from generalizability.sites.heterogeneity import site_heterogeneity

Progress = Callable[[int, int, str], None]
MOST_RUNS = 5000


@transaction.atomic
def pool_sites(deployment: Deployment, *, quantity: str = "auroc", limit: float | None = None) -> FindingRecord:
    """Pool the newest value of each site, from their stored findings: no case is read again.

    A site enters when its finding has a value, an interval and a state other than ``insufficient``; the others are
    named with their reason.

    Raises
    ------
    NotComputable
        ``too_few_sites`` when fewer than two sites can enter.
    """
    newest: dict[str, FindingRecord] = {}
    rows = current().filter(
        deployment=deployment, version=deployment.version, quantity=quantity, stratum__startswith="site="
    )
    for row in rows.order_by("window_end", "pk"):
        newest[row.stratum.removeprefix("site=")] = row
    entering, left_out = {}, {}
    for site, row in sorted(newest.items()):
        spread = _standard_error(row)
        if spread is None:
            left_out[site] = str(row.content["reason"]) or "no interval inside 0..1"
        else:
            entering[site] = (row, spread)
    if len(entering) < 2:
        told = "; ".join(f"{site}: {reason}" for site, reason in left_out.items()) or "no site has a value"
        raise NotComputable(
            "too_few_sites", f"{len(entering)} sites have a usable {quantity} ({told}): give two or more"
        )
    finding = site_heterogeneity(
        [float(row.value or 0) for row, _ in entering.values()], [spread for _, spread in entering.values()],
        sites=list(entering), n_cases=[row.n_cases for row, _ in entering.values()], quantity=quantity, limit=limit,
    )  # fmt: skip
    sources = {site: row.digest for site, (row, _) in entering.items()}
    finding = replace(
        finding, model_version=str(deployment.version),
        details={**finding.details, "left_out": left_out, "findings": sources},
    )  # fmt: skip
    return store_finding(finding, family="generalizability", deployment=deployment, version=deployment.version)


def _standard_error(row: FindingRecord) -> float | None:
    """On the plain scale, from the interval taken back through the logit, on which it is close to normal."""
    part = row.content["interval"]
    if row.value is None or row.state == State.INSUFFICIENT or not part:
        return None
    if not 0 < part["low"] < part["high"] < 1:
        return None
    width = special.logit(part["high"]) - special.logit(part["low"])
    return float(width / (2 * stats.norm.ppf((1 + part["level"]) / 2)) * row.value * (1 - row.value))


def cases_with_truth(deployment: Deployment, *, most: int) -> list[str]:
    """Cases that have both an image and a reader's mask, in the order of their pseudonyms (which is random)."""
    truth = CaseFile.objects.filter(deployment=deployment, role=CaseFile.Role.TRUTH).values("case")
    images = CaseFile.objects.filter(deployment=deployment, role=CaseFile.Role.IMAGE, case__in=truth)
    return list(images.order_by("case").values_list("case", flat=True)[:most])


def measure_robustness(
    deployment: Deployment, *, model: Any, kinds: Sequence[str], severities: Sequence[int] = SEVERITIES,
    cases: Sequence[str], tolerance: float | None = 0.05, seed: int = 0,
    progress: Progress = lambda done, of, step: None,
) -> list[FindingRecord]:  # fmt: skip
    """Run ``model`` on the same cases clean and shifted; one finding for each kind × severity, one slope for each kind.

    The value is the change of Dice against the reader's mask, paired by case. ``tolerance`` is the largest mean loss
    that is declared acceptable.

    Raises
    ------
    InvalidInput
        ``unknown_key`` for a kind, ``bad_severity``, ``too_much`` beyond 5,000 runs of the model.
    NotComputable
        ``no_truth`` when no case has an image and a mask.
    """
    for kind in kinds:
        _ = SHIFTS[kind]
    wrong = [severity for severity in severities if severity not in SEVERITIES]
    if wrong or not severities:
        raise InvalidInput("bad_severity", f"severities {list(severities)}: give whole numbers from 1 to 5")
    runs = len(cases) * (1 + len(kinds) * len(severities))
    if runs > MOST_RUNS:
        raise InvalidInput("too_much", f"{runs} runs of the model are asked for: at most {MOST_RUNS} in one job")
    loaded = [_case(deployment, case) for case in cases]
    if not loaded:
        raise NotComputable("no_truth", f"{deployment} has no case with an image and a reader's mask")
    done = 0

    def dice_of_all(change: Callable[[Any, int], Any], step: str) -> list[float]:
        nonlocal done
        values = []
        for place, (image, truth, prompt) in enumerate(loaded):
            values.append(_dice(model.predict(change(image, place), prompt).mask, truth))
            done += 1
            progress(done, runs, step)
        return values

    clean = dice_of_all(lambda image, place: image, "clean")
    patients = [facts_patient(deployment, case) for case in cases]
    found: list[Finding] = []
    for kind in kinds:
        shift = SHIFTS.load(kind)
        series = [float(np.mean(clean))]
        for severity in severities:

            def shifted(image: Any, place: int, shift: Any = shift, severity: int = severity) -> Any:
                return shift(image, severity=severity, seed=seed + place)

            values = dice_of_all(shifted, f"{SHIFTS[kind].title}, severity {severity}")
            series.append(float(np.mean(values)))
            finding = paired_change(
                clean, values, kind=kind, severity=severity, seed=seed, tolerance=tolerance,
                patients=patients if len(set(patients)) > 1 else None,
            )  # fmt: skip
            found.append(replace(finding, n_patients=len(set(patients))))
        if len(series) >= 3:
            found.append(_slope(kind, list(severities), series, len(loaded), found[-1].input_digest, seed))
    placed = [replace(finding, signal="dice", model_version=str(deployment.version)) for finding in found]
    with transaction.atomic():
        return [
            store_finding(finding, family="generalizability", deployment=deployment, version=deployment.version)
            for finding in placed
        ]


def facts_patient(deployment: Deployment, case: str) -> str:
    """Whose image it is; a case that does not say is its own patient."""
    facts = CaseFile.objects.get(deployment=deployment, case=case, role=CaseFile.Role.IMAGE).facts
    return str(facts.get("patient") or case)


def _case(deployment: Deployment, case: str) -> tuple[Any, Any, Prompt | None]:
    image = case_array(deployment, case, "image")
    truth = case_array(deployment, case, "truth")
    if image is None or truth is None:
        raise NotComputable("no_truth", f"case {case[:12]} lacks its image or its mask")
    box = image[1].get("box")
    return image[0], truth[0].astype(bool), Prompt(box=tuple(box)) if box else None


def _dice(prediction: Any, truth: Any) -> float:
    if prediction is None:
        raise NotComputable("no_mask", "the model of this deployment gives no mask: robustness of Dice needs one")
    whole = int(prediction.sum()) + int(truth.sum())
    return 1.0 if whole == 0 else 2 * int((prediction & truth).sum()) / whole


def _slope(kind: str, severities: list[int], series: list[float], n_cases: int, digest: str, seed: int) -> Finding:
    """Theil–Sen over evenly spaced severities; other spacings have no slope per severity, so they are refused."""
    steps = {after - before for before, after in zip([0, *severities], severities, strict=False)}
    method = method_record(
        "severity_slope", "generalizability.shifts.robustness:severity_slope", seed=seed, severities=[0, *severities]
    )
    place: dict[str, Any] = {
        "quantity": "severity_slope", "unit": "Dice per severity", "n_cases": n_cases, "method": method,
        "input_digest": digest, "stratum": {"shift": kind},
    }  # fmt: skip
    if steps != {1}:
        return Finding(
            value=None, state=State.INSUFFICIENT, reason="a slope needs severities 1, 2, 3 … without gaps", **place
        )
    slope, low, high = severity_slope(series)
    span = interval_around(slope, low, high, level=0.95, method="theil_sen") if math.isfinite(low + high) else None
    return Finding(value=slope, state=State.OK, interval=span, details={"mean_dice": series}, **place)
