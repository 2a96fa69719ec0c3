"""After a scanner's update: its site's windows against the two weeks that followed it, beside the frozen reference.

The frozen reference shows what the update changed, for ever. Against the provisional one a second change stands out.
It explains an alarm and closes none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date
from typing import Any

from assurance.evidence.finding import Finding
from assurance.models import Deployment
from monitoring.drift.catalogue import DETECTORS
from monitoring.drift.context import verdict_words
from monitoring.drift.state import state_from_bytes
from monitoring.drift.update_markers import Marker
from monitoring.drift.vectors import FEWEST_PATIENTS
from monitoring.models import DayState, ReferenceSet
from monitoring.plan import Plan
from monitoring.services.embedding_days import blocks_between
from monitoring.windows.calendar import Span
from monitoring.windows.compare import drift_findings
from monitoring.windows.family_control import controlled
from monitoring.windows.vectors import EMBEDDING, OF_STATES


def provisional_findings(
    deployment: Deployment, span: Span, *, markers: Iterable[Marker], reference: ReferenceSet, plan: Plan
) -> Iterator[Finding]:
    """Findings of the plan's methods at each site with an update whose two weeks ended before the window.

    Their stratum is the site and its new software, their reference names the two weeks. A further update at the site
    starts anew.
    """
    latest: dict[str, Marker] = {}
    for marker in sorted(markers, key=lambda one: one.day):
        if marker.provisional_until <= span.start:
            latest[marker.site] = marker
    for site, marker in sorted(latest.items()):
        before = site_states(deployment, site, marker.day, marker.provisional_until)
        after = site_states(deployment, site, span.start, span.end)
        found = [
            replace(one, signal=signal)
            for signal, one in drift_findings(before, after, plan=plan) if signal != marker.signal
        ]  # fmt: skip
        found = controlled(found, plan=plan) + list(_of_embeddings(reference, site, marker, span, plan))
        place: dict[str, Any] = {
            "window": span.window, "model_version": str(deployment.version),
            "stratum": {"site": site, "software": marker.after},
            "reference": f"provisional, {marker.day} to {marker.provisional_until}, software {marker.after}",
        }  # fmt: skip
        for one in found:
            details = {**one.details, "provisional": marker.as_dict(), "words": verdict_words(one)}
            yield replace(one, details=details, **place)


def site_states(deployment: Deployment, site: str, start: date, end: date) -> dict[str, Any]:
    """Merged day states of one site by signal."""
    merged: dict[str, Any] = {}
    rows = DayState.objects.filter(
        deployment=deployment, version=deployment.version, current=True, site=site, day__gte=start, day__lt=end
    ).order_by("day", "signal")
    for row in rows:
        state = state_from_bytes(bytes(row.content))
        merged[row.signal] = merged[row.signal].merge(state) if row.signal in merged else state
    return merged


def _of_embeddings(
    reference: ReferenceSet, site: str, marker: Marker, span: Span, plan: Plan
) -> Iterator[Finding]:  # fmt: skip
    sides = [
        blocks_between(reference, start, end, site=site)[0].get(f"site={site}", [])
        for start, end in ((marker.day, marker.provisional_until), (span.start, span.end))
    ]
    if min(len(side) for side in sides) < FEWEST_PATIENTS:
        return
    for key in plan.embedding:
        if key in OF_STATES:
            before, after = ([block[OF_STATES[key]] for block in side] for side in sides)
            finding: Finding = DETECTORS.load(key)(before, after, seed=plan.seed, permutations=plan.permutations)
            yield replace(finding, signal=EMBEDDING)
