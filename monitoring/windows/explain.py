"""What stands beside a window's numbers: kind of shift, drivers, concordance, software changes, case mix, words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from assurance.evidence.errors import InvalidInput, NotComputable
from assurance.evidence.finding import Finding, Method, State
from monitoring.drift.concordance import Statistic, concordance, reference_spread
from monitoring.drift.context import verdict_words
from monitoring.drift.distribution import distribution, joint_digest
from monitoring.drift.drivers import rank_drivers
from monitoring.drift.shift_kind import FEWEST, ShiftKind, shift_kind
from monitoring.drift.standardised import standardised
from monitoring.drift.update_markers import Marker
from monitoring.plan import Plan
from monitoring.windows.cases import Cases

MOVED = (State.WATCH, State.ACT)


def shift_finding(
    reference: Cases, current: Cases, labels: pa.Table, *, plan: Plan
) -> tuple[Finding, ShiftKind] | None:
    """Prevalence or covariate shift, by embeddings where there are any, else by the numeric input signals.

    None where reference labels, scores or features are too few to ask.
    """
    truth = dict(zip(labels.column("case").to_pylist(), labels.column("value").to_pylist(), strict=True))
    scores = reference.values.get("score")
    now = current.values.get("score")
    if scores is None or now is None or len(truth) < FEWEST:
        return None
    before, after = _features(reference, current)
    if before is None or after is None:
        return None
    values = np.array([truth.get(case, np.nan) for case in reference.case], dtype=np.float64)
    first = np.isin(values, (0.0, 1.0)) & _share(scores) & np.isfinite(before).all(axis=1)
    second = _share(now) & np.isfinite(after).all(axis=1)
    if min(int(first.sum()), int(second.sum())) < FEWEST or len(set(values[first].tolist())) < 2:
        return None
    answer = shift_kind(values[first], scores[first], before[first], now[second], after[second], seed=plan.seed)
    state = State.OK if answer.kind == "none" else State.INSUFFICIENT if answer.kind == "unclear" else State.WATCH
    finding = Finding(
        quantity="shift_kind", value=answer.prevalence_current - answer.prevalence_reference, unit="1", state=state,
        n_cases=int(second.sum()), n_reference=int(first.sum()), method=Method("shift_kind", "vigil", "1", {},
        plan.seed), input_digest=_content(reference, current, values), reason=answer.reason or answer.words,
        details=answer.as_dict(),
    )  # fmt: skip
    return finding, answer


def drivers_finding(reference: Cases, current: Cases) -> Finding | None:
    """Features ranked by their part in telling the window from the reference; the value is the first one's share."""
    names = [name for name in current.values if name in reference.values]
    try:
        ranked = rank_drivers({n: reference.values[n] for n in names}, {n: current.values[n] for n in names})
    except (InvalidInput, NotComputable):
        return None  # a reference without spread or a handful of cases has no drivers to name
    listed = [{"feature": one.feature, "contribution": one.contribution, "share": one.share} for one in ranked]
    return Finding(
        quantity="drivers", value=ranked[0].share, unit="1", state=State.OK, n_cases=current.n, n_reference=reference.n,
        method=Method("drivers", "vigil", "1", {"classifier": "ridge logistic", "attribution": "linear Shapley"}),
        input_digest=_content(reference, current), details={"drivers": listed},
    )  # fmt: skip


def concordance_finding(
    states: Mapping[str, Any], found: Iterable[tuple[str, Finding]], *, plan: Plan
) -> Finding | None:
    """The index over the window's primary statistics. ``found`` holds (signal, Finding) of one stratum."""
    terms, m = {}, 0
    for signal, finding in found:
        if finding.value is None or signal not in states:
            continue
        m = max(m, finding.n_cases)
        if finding.quantity == "w1_sd":
            mean, sd = reference_spread(distribution(states[signal], name=signal), m=finding.n_cases, seed=plan.seed)
            terms[signal] = Statistic(finding.value, mean, sd, domain_of(signal))
        elif finding.quantity == "chi_square" and finding.details.get("df"):
            df = float(finding.details["df"])
            terms[signal] = Statistic(
                float(finding.details["chi_square"]), df, float(np.sqrt(2 * df)), domain_of(signal)
            )
    if not terms:
        return None
    try:
        return concordance(terms, m=m, seed=plan.seed)
    except NotComputable:
        return None


def domain_of(signal: str) -> str:
    """tags, image or output, by the name's prefix."""
    if signal.startswith("meta_"):
        return "tags"
    return "image" if signal.startswith("q_") else "output"


def with_context(
    finding: Finding, signal: str, *, reference: Cases, current: Cases, markers: Iterable[Marker],
    shift: ShiftKind | None, plan: Plan,
) -> Finding:  # fmt: skip
    """The Finding with markers of its site, the standardised value of a numeric signal that moved, and words."""
    details: dict[str, Any] = {}
    site = finding.stratum.get("site")
    marked = tuple(one.as_dict() for one in markers if site in (None, one.site))
    if finding.state in MOVED:
        if marked:
            details["markers"] = list(marked)
        if finding.quantity == "w1_sd" and signal in reference.values:
            details["standardised"] = _standardised(signal, finding, reference, current, plan)
    usual = details.get("standardised")
    details["words"] = verdict_words(
        finding, markers=marked, standardised=usual if usual and "explained" in usual else None,
        shift=shift.as_dict() if shift else None,
    )  # fmt: skip
    return replace(finding, details={**finding.details, **details})


def _standardised(signal: str, finding: Finding, reference: Cases, current: Cases, plan: Plan) -> dict[str, Any]:
    factors = tuple(name for name in plan.case_mix if reference.factor(name) is not None and name != signal)
    here = current
    if "site" in finding.stratum:
        here = current.some(current.site == finding.stratum["site"])
    first, second = reference.cells(factors), here.cells(factors)
    if first is None or second is None:
        return {"reason": "the case mix is not delivered: age, sex or view would be needed"}
    try:
        answer = standardised(
            reference.values[signal], here.values[signal], reference_cells=first, current_cells=second, seed=plan.seed
        )
    except NotComputable as refusal:
        return {"reason": refusal.message}
    return {**answer.as_dict(), "factors": list(factors)}


def _features(reference: Cases, current: Cases) -> tuple[np.ndarray | None, np.ndarray | None]:  # type: ignore[type-arg]
    if reference.embeddings is not None and current.embeddings is not None:
        if reference.embeddings.shape[1] == current.embeddings.shape[1]:
            return reference.embeddings, current.embeddings
        return None, None
    names = [
        name for name, kind in current.kinds.items()
        if kind == "numeric" and name.startswith(("q_", "meta_")) and name in reference.values
        and np.isfinite(reference.values[name]).mean() > 0.9 and np.nanstd(reference.values[name]) > 0
    ]  # fmt: skip
    if not names:
        return None, None
    centres = {name: (np.nanmean(reference.values[name]), np.nanstd(reference.values[name])) for name in names}
    tables = (np.column_stack([(side.values[name] - centres[name][0]) / centres[name][1] for name in names])
              for side in (reference, current))  # fmt: skip
    return next(tables), next(tables)


def _share(values: Any) -> Any:
    return (values >= 0) & (values <= 1)


def _content(reference: Cases, current: Cases, *more: Any) -> str:
    parts = [",".join(side.case.tolist()) for side in (reference, current)]
    return joint_digest(*parts, *(np.asarray(one, dtype="<f8").tobytes().hex() for one in more))
