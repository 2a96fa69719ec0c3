"""All sources of a dossier, gathered once. A source that fails to answer is absent with its reason, never a crash."""

from __future__ import annotations

import logging
from collections.abc import Callable
from importlib.metadata import version as installed_version
from typing import Any

from django.conf import settings
from django.db import DatabaseError, transaction

from assurance.evidence.errors import Refusal
from reporting.dossier.contents import Evidence, Identity
from reporting.dossier.sources import Sources
from reporting.models import Dossier
from reporting.selectors import monitoring, registry, trail

log = logging.getLogger(__name__)
SOFTWARE = ("vigil", "django", "reportlab", "pyhanko", "numpy", "scipy", "evidently", "captum", "torch")


def gather(
    dossier: Dossier,
    *,
    evidence: tuple[Evidence, ...],
    reliability: list[dict[str, Any]],
    roc: list[dict[str, Any]],
    frozen_at: str,
    files: dict[str, str],
) -> Sources:
    absent: dict[str, tuple[str, str]] = {}

    def ask(name: str, question: Callable[[], Any], otherwise: Any, *, owner: str, nothing: str) -> Any:
        """The answer of ``question``; why there is none is kept under ``name``."""
        try:
            with transaction.atomic():
                answer = question()
        except Refusal as refusal:
            absent[name] = (refusal.message, owner)
            return otherwise
        except (DatabaseError, LookupError, TypeError, ValueError, AttributeError) as error:
            log.exception("dossier %s: source %s could not be read", dossier.number, name)
            absent[name] = (
                f"The source could not be read ({type(error).__name__}: {error}).",
                "the operator of the platform",
            )
            return otherwise
        if not answer:
            absent[name] = (nothing, owner)
        return answer

    deployment, period = dossier.deployment, {"start": dossier.start, "end": dossier.end}
    here: dict[str, Any] = {}
    if deployment is not None:
        here = {
            "deployment": ask(
                "deployment",
                lambda: registry.deployment_facts(deployment),
                None,
                owner="the hospital",
                nothing="No deployment.",
            ),
            "sites": ask(
                "sites", lambda: registry.site_facts(deployment), [], owner="the hospital", nothing="No site is named."
            ),
            "plan": ask(
                "plan",
                lambda: monitoring.plan_facts(deployment),
                None,
                owner="the hospital",
                nothing="No monitoring plan is frozen.",
            ),
            "references": ask(
                "references",
                lambda: monitoring.reference_facts(deployment),
                [],
                owner="the developer",
                nothing="No reference set is frozen.",
            ),
            "windows": ask(
                "windows",
                lambda: monitoring.window_facts(deployment, **period),
                [],
                owner="the hospital",
                nothing="No window was computed.",
            ),
            "intake": ask(
                "intake",
                lambda: monitoring.intake_facts(deployment, **period),
                None,
                owner="the hospital",
                nothing="No row arrived.",
            ),
            "alarms": ask(
                "alarms",
                lambda: monitoring.alarm_facts(deployment, **period),
                [],
                owner="the hospital",
                nothing="No alarm was open.",
            ),
        }
    return Sources(
        identity=identity(dossier, frozen_at=frozen_at),
        evidence=evidence,
        version=registry.version_facts(dossier.version),
        lineage=registry.lineage(dossier.version),
        signatures=ask(
            "signatures",
            lambda: trail.signatures_on(dossier),
            [],
            owner="the developer",
            nothing="No record is signed.",
        ),
        trail=ask("trail", lambda: trail.trail_head(dossier), {}, owner="the operator", nothing="The trail is empty."),
        previous=ask("previous", lambda: _previous(dossier, evidence), None, owner="", nothing="No earlier dossier."),
        reliability=reliability,
        roc=roc,
        files=files,
        kind_titles=kind_titles(),
        absent=absent,
        **here,
    )


def identity(dossier: Dossier, *, frozen_at: str) -> Identity:
    deployment = dossier.deployment
    return Identity(
        number=dossier.number,
        title=dossier.title,
        purpose=dossier.purpose,
        audience=dossier.audience,  # type: ignore[arg-type]
        programme="",
        submission="",
        submission_state="",
        deployment=deployment.name if deployment else "",
        organisation=deployment.organisation.name if deployment else "",
        developer=dossier.version.model.organisation.name,
        model=dossier.version.model.name,
        version=dossier.version.version,
        weights_sha256=dossier.version.weights_sha256,
        start=dossier.start.isoformat(),
        end=dossier.end.isoformat(),
        frozen_at=frozen_at,
        built_by=dossier.requested_by,
        supersedes=dossier.supersedes.number if dossier.supersedes else "",
        instance=settings.BASE_URL,
        software=software(),
    )


def software() -> dict[str, str]:
    return {name: installed_version(name) for name in SOFTWARE}


def kind_titles() -> dict[str, str]:
    import yaml

    path = settings.BASE_DIR / "assurance" / "data" / "regulation" / "evidence_kinds.yaml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {entry["id"]: entry["title"] for entry in content["evidence_kinds"]}


def _previous(dossier: Dossier, evidence: tuple[Evidence, ...]) -> dict[str, Any] | None:
    from reporting.selectors.compare import compare_with_evidence

    return (
        compare_with_evidence(dossier.supersedes, evidence)
        if dossier.supersedes and dossier.supersedes.contents
        else None
    )
