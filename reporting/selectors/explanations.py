"""Maps of a period with their report cards. Pictures of patients enter only a dossier that the hospital itself
builds."""

from __future__ import annotations

from typing import Any

from assurance.evidence.errors import Unavailable
from assurance.services.artefacts import read_artefact
from explainability.models import Explanation
from explainability.selectors.explanations import explanations_for, usable_explanations
from reporting.dossier.sections.s11_explain import MOST_PICTURES
from reporting.models import Dossier

RANK = {"act": 3, "watch": 2, "insufficient": 1, "ok": 0}


def explanation_facts(dossier: Dossier, pictures: dict[str, bytes]) -> list[dict[str, Any]]:
    """One row for each map of the period, refused ones included; ``pictures`` takes the overlays that may be shown."""
    rows: list[dict[str, Any]] = []
    for deployment in dossier.deployments():
        own = deployment.organisation_id == dossier.organisation_id
        usable = {item.explanation.pk for item in usable_explanations(deployment, dossier.start, dossier.end)}
        for number, one in enumerate(
            explanations_for(deployment, dossier.start, dossier.end).order_by("finished_at", "pk"), start=1
        ):
            row = _row(one, name=one.case[:12] if own else f"case {number}")
            if own and one.pk in usable and one.overlay is not None and len(pictures) < MOST_PICTURES:
                row |= _picture(one, pictures)
            rows.append(row)
    return rows


def _row(one: Explanation, *, name: str) -> dict[str, Any]:
    checks = one.report_card
    states = [check["state"] for check in checks]
    worst = max(states, key=lambda state: RANK[state], default="insufficient")
    told = ", ".join(f"{check['quantity'].replace('_', ' ')} {check['state']}" for check in checks)
    if one.status != Explanation.Status.DONE:
        told, worst = f"no map: {one.reason or one.get_status_display().lower()}", "insufficient"
    if one.barred_reason:
        told = f"{told}; barred from dossiers: {one.barred_reason}"
    return {
        "case": name,
        "method": one.method.replace("_", " "),
        "target": str(one.facts.get("target", "—")),
        "card": told or "no check was made",
        "state": worst,
        "text": _text(one),
    }


def _text(one: Explanation) -> str:
    words = [str(s["text"]) for s in one.statements if isinstance(s, dict) and s.get("text")]
    origin = f"Asked for by {one.origin.replace(':', ' ')}." if one.origin else ""
    return " ".join(
        filter(
            None,
            (f"Map of {one.facts.get('target', 'the output')} by {one.method.replace('_', ' ')}.", origin, *words[:2]),
        )
    )


def _picture(one: Explanation, pictures: dict[str, bytes]) -> dict[str, Any]:
    assert one.overlay is not None  # noqa: S101
    try:
        content = read_artefact(one.overlay)
    except Unavailable:
        return {}
    path = f"overlays/{one.pk}.png"
    pictures[path] = content
    spacing, shape = one.facts.get("spacing_mm"), one.facts.get("shape")
    wide = float(spacing[-1]) * float(shape[-1]) if spacing and shape else None
    legend = "Warm colours: speaks for the target; cold: against; grey: the image itself."
    return {"file": path, "sha256": one.overlay.sha256, "width_mm": wide, "legend": legend, "evidence": []}
