"""Membership inference: can an outsider tell who was in the training set?"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from assurance.evidence.checks import finite_vector
from assurance.evidence.errors import InvalidInput
from assurance.evidence.finding import Finding, State
from assurance.metrics.measured import array_digest, method_record
from assurance.metrics.proportions import wilson
from assurance.metrics.roc_auc import auroc


def membership(
    member_scores: ArrayLike, outsider_scores: ArrayLike, *, false_positives: float = 0.001
) -> list[Finding]:
    """How well an attack's score (larger = "was trained on") tells members from outsiders.

    Returns
    -------
    list of Finding
        ``membership_auroc`` (0.5 = no leak) and ``membership_tpr``, the share of members found when at most
        ``false_positives`` of the outsiders are accused. The latter is ``insufficient`` with fewer than
        1/``false_positives`` outsiders. AUROC: ``watch`` when its interval lies above 0.5.

    References
    ----------
    Carlini et al. (2022), IEEE S&P, arXiv:2112.03570 (true positives at a low false positive rate).
    """
    members = finite_vector(member_scores, name="member_scores", at_least=2)
    outsiders = finite_vector(outsider_scores, name="outsider_scores", at_least=2)
    if not 0 < false_positives < 0.5:
        raise InvalidInput("bad_share", f"false_positives is {false_positives}: give a share between 0 and 0.5")
    labels = np.concatenate([np.ones(members.size), np.zeros(outsiders.size)])
    area = auroc(labels, np.concatenate([members, outsiders]))
    leak = area.state is State.OK and area.interval is not None and area.interval.low > 0.5
    area = area.placed(
        quantity="membership_auroc",
        state=State.WATCH if leak else area.state,
        reason="members of the training set can be told from outsiders" if leak else area.reason,
        details={**area.details, "criterion": "compliance"},
    )
    allowed = int(np.floor(false_positives * outsiders.size))
    cut = np.sort(outsiders)[::-1][allowed]
    found = int((members > cut).sum())
    needed = int(np.ceil(1 / false_positives))
    few = outsiders.size < needed
    return [
        area,
        Finding(
            quantity="membership_tpr",
            value=found / members.size,
            unit="1",
            state=State.INSUFFICIENT if few else State.OK,
            reason=f"{outsiders.size} outsiders: {needed} are needed for this false positive rate" if few else "",
            n_cases=members.size,
            n_reference=outsiders.size,
            interval=wilson(found, members.size),
            minimum_n=needed,
            method=method_record(
                "membership_tpr", "generalizability.synthetic.membership:membership", false_positives=false_positives
            ),
            input_digest=array_digest(members=members, outsiders=outsiders),
            details={"n_found": found, "cut": float(cut), "criterion": "compliance"},
        ),
    ]
