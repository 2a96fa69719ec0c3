"""All sources of a dossier, gathered once. A source that fails to answer is absent with its reason, never a crash."""

from __future__ import annotations

import logging
from collections.abc import Callable
from importlib.metadata import version as installed_version
from typing import Any

from django.conf import settings
from django.db import DatabaseError, transaction

from assurance import regulation
from assurance.evidence.errors import Refusal
from reporting.dossier.contents import Evidence, Identity
from reporting.dossier.sources import Sources
from reporting.models import Dossier
from reporting.selectors import explanations, governance, incidents, monitoring, registry, trail

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
    pictures: dict[str, bytes],
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

    deployments, submission, period = (
        dossier.deployments(),
        dossier.submission,
        {"start": dossier.start, "end": dossier.end},
    )
    several = len(deployments) > 1

    def each(question: Callable[..., list[dict[str, Any]]], name: str, **span: Any) -> list[dict[str, Any]]:
        """The rows of every deployment; where there are several, ``name`` of each row says whose it is."""
        rows = []
        for one in deployments:
            found = question(one, **span)
            rows += [{**row, name: f"{one.name}: {row[name]}"} for row in found] if several else found
        return rows

    hospital, developer = "the hospital", "the developer"
    here: dict[str, Any] = {}
    if deployments:
        first = deployments[0]
        here = {
            "deployment": ask(
                "deployment", lambda: registry.deployment_facts(first), None, owner=hospital, nothing="No deployment."
            ),
            "sites": ask(
                "sites", lambda: each(registry.site_facts, "name"), [], owner=hospital, nothing="No site is named."
            ),
            "plan": ask(
                "plan",
                lambda: next(filter(None, map(monitoring.plan_facts, deployments)), None),
                None,
                owner=hospital,
                nothing="No monitoring plan is frozen.",
            ),
            "references": ask(
                "references",
                lambda: each(monitoring.reference_facts, "name"),
                [],
                owner=developer,
                nothing="No reference set is frozen.",
            ),
            "windows": ask(
                "windows",
                lambda: each(monitoring.window_facts, "start", **period),
                [],
                owner=hospital,
                nothing="No window was computed.",
            ),
            "intake": ask(
                "intake",
                lambda: monitoring.intake_of(deployments, **period),
                None,
                owner=hospital,
                nothing="No row arrived.",
            ),
            "alarms": ask(
                "alarms",
                lambda: each(monitoring.alarm_facts, "title", **period),
                [],
                owner=hospital,
                nothing="No alarm was open.",
            ),
            "explanations": ask(
                "explanations",
                lambda: explanations.explanation_facts(dossier, pictures),
                [],
                owner=hospital,
                nothing="No map was made in this period.",
            ),
            "incidents": ask(
                "incidents", lambda: incidents.incident_facts(dossier), [], owner=hospital, nothing="No incident."
            ),
        }
    if submission is not None:
        here |= {
            "submission": ask(
                "submission",
                lambda: governance.submission_facts(submission),
                None,
                owner="the applicant",
                nothing="Nothing is recorded of the submission.",
            ),
            "coverage": ask(
                "coverage",
                lambda: governance.coverage_rows(submission),
                None,
                owner="the applicant",
                nothing="No framework is in scope.",
            ),
            "documents": ask(
                "documents",
                lambda: governance.filed_records(submission),
                [],
                owner="the applicant",
                nothing="No record is filed.",
            ),
        }
    else:
        absent["submission"] = ("This dossier is not part of a submission.", "the developer")
        absent["coverage"] = ("Coverage is computed for submissions; this dossier belongs to none.", "the developer")
    return Sources(
        identity=identity(dossier, frozen_at=frozen_at),
        evidence=evidence,
        version=registry.version_facts(dossier.version),
        lineage=registry.lineage(dossier.version),
        card=ask(
            "card", lambda: governance.card_fields(dossier), None, owner=developer, nothing="No card revision exists."
        ),
        changes=ask(
            "changes",
            lambda: registry.changes_of(dossier),
            [],
            owner=developer,
            nothing="No change was recorded in the period.",
        ),
        signatures=ask(
            "signatures", lambda: trail.signatures_on(dossier), [], owner=developer, nothing="No record is signed."
        ),
        trail=ask("trail", lambda: trail.trail_head(dossier), {}, owner="the operator", nothing="The trail is empty."),
        previous=ask("previous", lambda: _previous(dossier, evidence), None, owner="", nothing="No earlier dossier."),
        reliability=reliability,
        roc=roc,
        files=files,
        kind_titles={key: kind.title for key, kind in regulation.catalogue().kinds.items()},
        absent=absent,
        **here,
    )


def identity(dossier: Dossier, *, frozen_at: str) -> Identity:
    deployments, submission, version = dossier.deployments(), dossier.submission, dossier.version
    return Identity(
        number=dossier.number,
        title=dossier.title,
        purpose=dossier.purpose,
        audience=dossier.audience,  # type: ignore[arg-type]
        programme=governance.programme_of(submission) if submission else "",
        submission=str(submission) if submission else "",
        submission_state=submission.state.replace("_", " ") if submission else "",
        deployment=", ".join(one.name for one in deployments),
        organisation=", ".join(sorted({one.organisation.name for one in deployments})),
        developer=version.model.organisation.name,
        model=version.model.name,
        version=version.version,
        weights_sha256=version.weights_sha256,
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


def _previous(dossier: Dossier, evidence: tuple[Evidence, ...]) -> dict[str, Any] | None:
    from reporting.selectors.compare import compare_with_evidence

    return (
        compare_with_evidence(dossier.supersedes, evidence)
        if dossier.supersedes and dossier.supersedes.contents
        else None
    )
