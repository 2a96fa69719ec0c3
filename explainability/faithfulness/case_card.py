"""All checks of one map."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from assurance.evidence.errors import NotComputable
from assurance.evidence.finding import Finding
from explainability.faithfulness.catalogue import CHECKS
from explainability.faithfulness.graded import Graded, refused
from explainability.faithfulness.pixel_removal import SHARES

MANY_PASSES = ("deletion", "insertion", "infidelity")
SHORTER: Mapping[str, Mapping[str, Any]] = {
    "deletion": {"shares": SHARES[::2]}, "insertion": {"shares": SHARES[::2]}, "infidelity": {"samples": 16},
    "randomisation": {"draws": 1},
}  # fmt: skip


def checks_of(effort: str) -> list[str]:
    """Keys of the card: ``full``; ``quick`` (at most one further map each); ``brief`` (no hundred further passes)."""
    chosen = [key for key, entry in CHECKS.items() if effort == "full" or entry.facts["quick"]]
    return [key for key in chosen if key not in MANY_PASSES] if effort == "brief" else chosen


def settings_of(effort: str, task: str) -> Mapping[str, Mapping[str, Any]]:
    """Parameters that differ from the checks' defaults: a short card of a segmentation takes half the passes."""
    return SHORTER if effort != "full" and task == "segmentation" else {}


def grade(
    graded: Graded, *, checks: Iterable[str] | None = None, seed: int = 0,
    progress: Callable[[str], None] = lambda key: None, parameters: Mapping[str, Mapping[str, Any]] | None = None,
) -> list[Finding]:  # fmt: skip
    """One Finding for each check, also where it does not apply: then without value and with the reason."""
    findings = []
    for key in checks if checks is not None else checks_of("quick"):
        progress(key)
        try:
            findings.append(CHECKS.load(key)(graded, seed=seed, **(parameters or {}).get(key, {})))
        except NotComputable as reason:
            findings.append(refused(graded, key, reason))
    return findings
