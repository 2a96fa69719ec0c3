"""The version under test, its ancestors and where it runs, as plain values."""

from typing import Any

from assurance.models import Deployment, ModelVersion
from records.models import AuditEvent
from reporting.models import Dossier

CHANGES = {  # audit actions that change what runs or how it is judged
    "plan.freeze": "plan",
    "reference.freeze": "reference set",
    "deployment.update": "deployment",
    "deployment.move": "version",
    "version.register": "version",
    "card.revise": "card",
}


def version_facts(version: ModelVersion) -> dict[str, Any]:
    names = (
        "version",
        "adapter_key",
        "weights_sha256",
        "preprocessing",
        "preprocessing_sha256",
        "thresholds",
        "thresholds_sha256",
        "container_digest",
        "licence",
        "input_contract",
        "output_contract",
        "pretraining_sources",
        "known_contamination",
    )
    model = version.model
    facts = {name: getattr(version, name) for name in names}
    return facts | {
        "model": model.name,
        "task": model.task,
        "modality": model.modality,
        "developer": model.organisation.name,
    }


def lineage(version: ModelVersion) -> list[dict[str, str]]:
    """From the oldest ancestor to ``version``."""
    chain: list[dict[str, str]] = []
    here: ModelVersion | None = version
    while here is not None and len(chain) < 20:
        chain.append(
            {
                "kind": here.model.get_kind_display(),
                "model": here.model.name,
                "version": here.version,
                "licence": here.licence,
                "weights_sha256": here.weights_sha256,
            }
        )
        here = here.base
    return chain[::-1]


def deployment_facts(deployment: Deployment) -> dict[str, Any]:
    return {
        "name": deployment.name,
        "status": deployment.get_status_display(),
        "started_at": deployment.started_at.isoformat(),
        "note": deployment.note,
    }


def site_facts(deployment: Deployment) -> list[dict[str, str]]:
    return [{"name": s.name, "code": s.code, "time_zone": s.time_zone} for s in deployment.sites.order_by("code")]


def changes_of(dossier: Dossier) -> list[dict[str, Any]]:
    """Recorded changes of what runs and how it is judged, within the period, from the audit trail."""
    from reporting.selectors.trail import about

    rows = AuditEvent.objects.filter(about(dossier), action__in=CHANGES, at__gte=dossier.start, at__lt=dossier.end)
    return [
        {
            "at": e.at.isoformat(),
            "word": CHANGES[e.action],
            "reason": " ".join(filter(None, (e.subject_name, e.reason))),
        }
        for e in rows.order_by("pk")
    ]
