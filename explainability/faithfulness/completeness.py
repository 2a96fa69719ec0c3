"""Does the map add up to what it explains?"""

from __future__ import annotations

from assurance.evidence.errors import NotComputable
from assurance.evidence.finding import Finding
from explainability.faithfulness.graded import Graded, answer

LIMIT = 0.05


def completeness(graded: Graded, *, seed: int = 0, limit: float = LIMIT) -> Finding:
    """|Σ map − (f(x) − f(baseline))| / |f(x) − f(baseline)|; passes below ``limit``.

    Only for methods that promise it. ``seed`` is not used.

    Raises
    ------
    NotComputable
        ``not_promised``; ``no_change`` where image and baseline get the same answer.

    References
    ----------
    Sundararajan, Taly & Yan (2017), Axiomatic attribution for deep networks, ICML, arXiv:1703.01365, section 3.
    """
    error = graded.attribution.completeness_error
    if error is None:
        raise NotComputable("not_promised", f"{graded.key} promises no completeness: its map has no sum to check")
    if error == float("inf"):
        raise NotComputable("no_change", "image and baseline get the same answer: there is nothing to add up to")
    details = {"f_x": graded.attribution.f_x, "f_baseline": graded.attribution.f_baseline}
    return answer(graded, "completeness", error, passed=error < limit, parameters={"limit": limit}, details=details)
