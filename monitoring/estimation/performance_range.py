"""The range over three label-free estimators: where they disagree, none of them should be believed alone."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike

from assurance.evidence.finding import Finding, Interval, worst
from assurance.metrics.measured import method_record
from monitoring.estimation.confidence_based import cbpe
from monitoring.estimation.confidence_threshold import cm_atc, cm_doc
from monitoring.estimation.labelled_reference import QUANTITIES


def performance_range(
    reference_labels: ArrayLike, reference_scores: ArrayLike, current_scores: ArrayLike, **options: Any
) -> list[Finding]:
    """CBPE with the envelope over CBPE, CM-ATC and CM-DoC.

    Arguments as in ``cbpe``. Each Finding has CBPE's value; its interval reaches from the lowest to the highest of the
    three intervals and is no confidence interval of one method, which ``interval.method`` says. ``details`` hold each
    method's value and the width of their range; the state is the worst of the three.

    References
    ----------
    Flühmann et al. (2025), arXiv:2507.22776 (all three can fail; agreement is no proof).
    """
    by_calibration = {name: value for name, value in options.items() if name != "calibration"}
    found = {
        "cbpe": cbpe(reference_labels, reference_scores, current_scores, **options),
        "cm_atc": cm_atc(reference_labels, reference_scores, current_scores, **by_calibration),
        "cm_doc": cm_doc(reference_labels, reference_scores, current_scores, **by_calibration),
    }
    return range_over(found)


def range_over(found: dict[str, list[Finding]]) -> list[Finding]:
    """The envelope over the Findings of ``cbpe``, ``cm_atc`` and ``cm_doc`` for one window."""
    return [
        _envelope({key: _of(findings, f"estimated_{quantity}") for key, findings in found.items()}, quantity)
        for quantity in QUANTITIES
    ]


def _of(findings: list[Finding], quantity: str) -> Finding:
    return next(finding for finding in findings if finding.quantity == quantity)


def _envelope(parts: dict[str, Finding], quantity: str) -> Finding:
    main = parts["cbpe"]
    values = {key: part.value for key, part in parts.items()}
    held = [value for value in values.values() if value is not None]
    spans = [part.interval for part in parts.values() if part.interval is not None]
    interval = None
    if main.value is not None and spans:
        low = min([span.low for span in spans] + held)
        high = max([span.high for span in spans] + held)
        interval = Interval(low, high, spans[0].level, "envelope of cbpe, cm_atc, cm_doc")
    state = worst([part.state for part in parts.values()])
    reason = "; ".join(dict.fromkeys(part.reason for part in parts.values() if part.reason and part.state is state))
    seed = main.method.seed
    method = method_record(
        "performance_range", "monitoring.estimation.performance_range:performance_range", seed=seed,
        **main.method.parameters,
    )  # fmt: skip
    details = {**main.details, "estimates": values, "range": max(held) - min(held) if held else None}
    return main.placed(
        quantity=f"estimated_{quantity}", interval=interval, state=state, reason=reason, method=method, details=details
    )
