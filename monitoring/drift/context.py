"""What a verdict means in its context: the sentence that stands beside the number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from assurance.evidence.finding import Finding, State

MOSTLY = 0.7  # share of a distance that the case mix must explain to be called its cause


def verdict_words(
    finding: Finding, *, markers: tuple[Mapping[str, Any], ...] = (), standardised: Mapping[str, Any] | None = None,
    shift: Mapping[str, Any] | None = None,
) -> str:  # fmt: skip
    """One or two sentences; the context explains an alarm and never closes it.

    ``markers`` are software changes at the same site (``from``, ``to``, ``day``), ``standardised`` is
    ``Standardised.as_dict()``, ``shift`` ``ShiftKind.as_dict()``.
    """
    if finding.state is State.INSUFFICIENT:
        return f"Not enough cases to tell: {finding.reason}."
    if finding.state is State.OK:
        return "Within what chance gives at this size, or too small to matter."
    effect = f", like a shift of {finding.effect:.2g} sd" if finding.effect is not None else ""
    text = [f"{'Large' if finding.state is State.ACT else 'Moderate'} change{effect}."]
    for marker in markers:
        text.append(
            f"The scanner software changed from {marker['from']} to {marker['to']} on {marker['day']}: compare with "
            "the provisional reference, and check performance all the same."
        )
    if standardised is not None:
        explained = float(standardised["explained"])
        if explained >= MOSTLY and standardised["state"] in ("ok", "insufficient"):
            text.append(f"{explained:.0%} of it goes with another mix of patients; within groups little is left.")
        else:
            text.append(f"The mix of patients explains {explained:.0%} of it; it remains within groups.")
    if shift is not None and shift["kind"] in ("prevalence", "both", "covariate"):
        text.append(f"Kind of shift: {shift['words']}.")
        if shift["kind"] == "prevalence":
            text.append("No device alarm unless sensitivity or specificity move; positive predictive value does.")
    return " ".join(text)
