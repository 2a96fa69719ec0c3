"""How many looks one window took: primary p-values corrected within each kind of signal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from assurance.evidence.finding import Finding, State
from monitoring.drift.multiplicity import adjusted
from monitoring.plan import Plan


def controlled(found: Sequence[Finding], *, plan: Plan) -> list[Finding]:
    """Findings of one stratum and kind of signal, in their order, with ``p_adjusted`` for those that may raise alarms.

    A ``watch`` or ``act`` whose corrected p exceeds the watch level falls one step (``act`` to ``watch``, ``watch`` to
    ``ok``): with thirty signals a p of 0.01 is what chance gives every third window.
    """
    if plan.family_control == "none":
        return list(found)
    places = [at for at, one in enumerate(found) if one.quantity in plan.alarm_on and _p(one) is not None]
    if not places:
        return list(found)
    raised = adjusted([_p(found[at]) or 0.0 for at in places], method=plan.family_control)
    result = list(found)
    for at, p_value in zip(places, raised, strict=True):
        one = found[at]
        beyond = p_value > float(one.method.parameters.get("alpha_watch", 0.01))
        lower = {State.ACT: State.WATCH, State.WATCH: State.OK}.get(one.state, one.state)
        result[at] = replace(
            one, state=lower if beyond else one.state,
            details={**one.details, "p_adjusted": float(p_value), "family_control": plan.family_control,
                     "family_size": len(places)},
        )  # fmt: skip
    return result


def _p(finding: Finding) -> float | None:
    return None if finding.null is None or finding.value is None else finding.null.p_value
