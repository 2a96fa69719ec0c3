"""Verification bias: sensitivity and specificity when the model's call decided who got a true answer."""

from __future__ import annotations

import math

from scipy import special

from assurance.evidence.errors import InvalidInput, NotComputable
from assurance.evidence.finding import Finding, Interval, State
from assurance.metrics.measured import array_digest, checked_level, interval_around, method_record


def begg_greenes(
    *,
    called_with: int,
    called_without: int,
    spared_with: int,
    spared_without: int,
    called_unverified: int,
    spared_unverified: int,
    level: float = 0.95,
) -> list[Finding]:
    """Sensitivity and specificity corrected for partial verification, beside the naive values.

    Parameters
    ----------
    called_with, called_without : int
        Verified cases that the model called positive, with and without the finding.
    spared_with, spared_without : int
        Verified cases that it called negative.
    called_unverified, spared_unverified : int
        Cases without a true answer.

    Returns
    -------
    list of Finding
        ``corrected_sensitivity`` and ``corrected_specificity``; ``details["naive"]`` is the share among the verified.
        Assumes that, given the call, verification is independent of the truth. With no verified negative call neither
        is identified: no value, with the reason. Interval: normal on the logit scale.

    References
    ----------
    Begg & Greenes (1983), Biometrics 39:207.
    """
    counts = {
        "called_with": called_with,
        "called_without": called_without,
        "spared_with": spared_with,
        "spared_without": spared_without,
        "called_unverified": called_unverified,
        "spared_unverified": spared_unverified,
    }
    for name, count in counts.items():
        if count < 0 or count != int(count):
            raise InvalidInput("not_counts", f"{name} is {count}: give 0 or a whole number")
    verified_called, verified_spared = called_with + called_without, spared_with + spared_without
    n_called, n_spared = verified_called + called_unverified, verified_spared + spared_unverified
    if n_called + n_spared == 0:
        raise NotComputable("no_cases", "all counts are 0: there is nothing to correct")
    z = float(special.ndtri((1 + checked_level(level)) / 2))
    naive = (
        called_with / (called_with + spared_with) if called_with + spared_with else None,
        spared_without / (spared_without + called_without) if spared_without + called_without else None,
    )
    values: list[tuple[float | None, Interval | None, str]]
    if not verified_spared or not verified_called:
        side = "negative" if not verified_spared else "positive"
        reason = f"no {side} call was verified: verify some at random, since neither share is identified without them"
        values = [(None, None, reason)] * 2
    else:
        ppv, missed = called_with / verified_called, spared_with / verified_spared
        share_called = n_called / (n_called + n_spared)
        values = [
            _corrected(ppv, missed, share_called, verified_called, verified_spared, n_called + n_spared, z, level),
            _corrected(
                1 - missed, 1 - ppv, 1 - share_called, verified_spared, verified_called, n_called + n_spared, z, level
            ),
        ]
    return [
        Finding(
            quantity=f"corrected_{name}",
            value=value,
            unit="1",
            state=State.INSUFFICIENT if value is None else State.OK,
            reason=reason,
            n_cases=n_called + n_spared,
            interval=span,
            method=method_record("begg_greenes", "monitoring.estimation.verification_bias:begg_greenes", level=level),
            input_digest=array_digest(counts=list(counts.values())),
            details={"naive": plain, "n_verified": verified_called + verified_spared, **counts},
        )
        for name, plain, (value, span, reason) in zip(("sensitivity", "specificity"), naive, values, strict=True)
    ]


def _corrected(
    right: float, wrong_side: float, share: float, n_right: int, n_wrong: int, n: int, z: float, level: float
) -> tuple[float | None, Interval | None, str]:
    """right·share/(right·share + wrong_side·(1 − share)) and its logit interval."""
    whole = right * share + wrong_side * (1 - share)
    if whole == 0:
        return None, None, "no verified case has the class in question"
    value = right * share / whole
    if not 0 < value < 1 or not 0 < share < 1:
        return value, None, ""
    variance = (
        (1 - right) / (right * n_right) + (1 - wrong_side) / (wrong_side * n_wrong) + 1 / (n * share * (1 - share))
    )
    centre, reach = float(special.logit(value)), z * math.sqrt(variance)
    low, high = float(special.expit(centre - reach)), float(special.expit(centre + reach))
    return value, interval_around(value, low, high, level=level, method="delta_logit"), ""
