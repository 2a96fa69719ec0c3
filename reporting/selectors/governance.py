"""Card, submission, plan, decisions, questions and coverage as plain values, from the assurance app's own selectors."""

from __future__ import annotations

from typing import Any

from assurance import regulation
from assurance.cards.chai import write_chai
from assurance.models import CardRevision, Submission
from assurance.requirements.coverage import STATES
from assurance.selectors.cards import latest_revision
from assurance.selectors.coverage import coverage_of, frameworks
from assurance.selectors.evidence import bound_revision, pieces_of
from assurance.services.card_checks import facts_of
from reporting.models import Dossier

STATE_OF = {"answered": "provided", "not_available": "not_available", "not_applicable": "not_applicable"}
COVERAGE_WORDS = {"met": "met", "partial": "partly met", "gap": "not met", "not_applicable": "not applicable"}
CHAI_VERSION = "v0.2"


def revision_of(dossier: Dossier) -> CardRevision | None:
    if dossier.submission is not None:
        return bound_revision(dossier.submission)
    return latest_revision(dossier.version)


def card_fields(dossier: Dossier) -> list[dict[str, Any]]:
    """Every answered field of the developer's layer, then of each hospital's local layer."""
    revision = revision_of(dossier)
    rows = _rows(revision, suffix="") if revision else []
    for deployment in dossier.deployments():
        local = latest_revision(dossier.version, layer="local", deployment=deployment)
        rows += _rows(local, suffix=f" ({deployment.organisation.name})") if local else []
    return rows


def _rows(revision: CardRevision, *, suffix: str) -> list[dict[str, Any]]:
    found = []
    for field in regulation.card_schema():
        answer = revision.answers.get(field.id)
        if answer is None:
            continue
        value = answer.get("value")
        if value in (None, "", [], {}) and answer.get("finding"):
            value = f"Finding {answer['finding'][:12]}"
        found.append(
            {
                "id": field.id,
                "label": f"{field.title}{suffix}",
                "kinds": list(field.evidence),
                "state": STATE_OF[answer["status"]],
                "reason": answer.get("reason") or "",
                "value": value,
                "requirements": list(field.sources),
            }
        )
    return found


def chai_card(dossier: Dossier) -> bytes | None:
    """The card in CHAI's XML as the assurance app writes it; None where no revision exists."""
    revision = revision_of(dossier)
    if revision is None:
        return None
    written = write_chai(
        revision.answers, regulation.card_schema(), facts_of(dossier.version, revision), version=CHAI_VERSION
    )
    return written.content


def coverage_rows(submission: Submission) -> list[dict[str, Any]]:
    pieces = pieces_of(submission)
    found = []
    for framework in frameworks():
        covered = coverage_of(submission, framework=framework.id, pieces=pieces)
        counts = {state: sum(row.state == state for row in covered) for state in STATES}
        told = ", ".join(f"{counts[state]} {COVERAGE_WORDS[state]}" for state in STATES)
        rows = []
        for row in covered:
            evidence = "; ".join(f"{e.title} {e.sha256[:12]}".strip() for e in row.evidence[:3]) or row.reason or "none"
            if len(row.evidence) > 3:
                evidence += f" and {len(row.evidence) - 3} more"
            entry = "verified" if row.verified else "unverified"
            rows.append([row.id, f"{row.title} ({row.requirement.ref})", COVERAGE_WORDS[row.state], evidence, entry])
        note = " ".join(filter(None, (getattr(framework, name, "") for name in ("version", "status"))))
        found.append(
            {"title": framework.title, "told": f"{len(rows)} requirements: {told}", "note": note, "rows": rows}
        )
    return found


def filed_records(submission: Submission) -> list[dict[str, Any]]:
    """Evidence that serves today; what is stale or missing stays a gap."""
    return [
        {"title": p.title, "kind": p.kind, "date": "", "sha256": p.sha256} for p in pieces_of(submission) if p.serves
    ]


def submission_facts(submission: Submission) -> dict[str, Any]:
    plan = submission.plans.exclude(frozen_at=None).order_by("-revision").first()
    facts = [
        ["Number", submission.label],
        ["Title", submission.title],
        ["Applicant", submission.organisation.name],
        ["Authority", submission.regulator.name],
        ["Programme", programme_of(submission)],
        ["State", f"{submission.state.replace('_', ' ')} since {submission.state_since:%Y-%m-%d}"],
        ["Submitted", f"{submission.submitted_at:%Y-%m-%d %H:%M} UTC" if submission.submitted_at else ""],
        ["SHA-256 of the snapshot", submission.snapshot_sha256],
        *[[name.replace("_", " ").capitalize(), _words(value)] for name, value in sorted(submission.facts.items())],
    ]
    return {
        "facts": facts,
        "question": str(plan.content.get("question", "")) if plan else "",
        "plan": {"facts": _plan_facts(plan)} if plan else None,
        "decisions": _decisions(submission),
        "activities": _activities(submission),
    }


def programme_of(submission: Submission) -> str:
    return str(submission.profile_terms.get("title") or submission.profile)


def _plan_facts(plan: Any) -> list[list[str]]:
    head = [
        ["Revision", str(plan.revision)],
        ["Frozen", f"{plan.frozen_at:%Y-%m-%d %H:%M} UTC"],
        ["SHA-256", plan.sha256],
    ]
    return head + [
        [key.replace("_", " ").capitalize(), _words(value)]
        for key, value in sorted(plan.content.items())
        if key != "question"
    ]


def _decisions(submission: Submission) -> list[dict[str, Any]]:
    """Every step that was taken. Assessments and remarks of the authority stay with it."""
    steps = [
        {
            "at": c.at.isoformat(),
            "old": c.source.replace("_", " "),
            "new": c.target.replace("_", " "),
            "by": c.role.replace("_", " "),
            "reason": c.reason,
        }
        for c in submission.changes.all()
    ]
    for decision in submission.decisions.exclude(decided_at=None).prefetch_related("conditions"):
        conditions = "; ".join(f"{c.text} ({c.get_status_display().lower()})" for c in decision.conditions.all())
        told = decision.reasons + (f" Conditions: {conditions}" if conditions else " Without conditions.")
        steps.append(
            {
                "at": decision.decided_at.isoformat(),
                "old": "decision",
                "new": decision.transition,
                "by": submission.regulator.name,
                "reason": told,
            }
        )
    return sorted(steps, key=lambda step: step["at"])


def _activities(submission: Submission) -> list[dict[str, Any]]:
    found = []
    for request in submission.requests.prefetch_related("answers"):
        found.append(
            {
                "at": request.asked_at.isoformat(),
                "title": f"Question {request.number} ({request.get_status_display().lower()})",
                "by": submission.regulator.name,
                "text": request.question,
            }
        )
        found += [
            {
                "at": a.written_at.isoformat(),
                "title": f"Answer to question {request.number}",
                "by": a.side,
                "text": a.text,
            }
            for a in request.answers.all()
        ]
    for change in submission.plan_changes.all():
        found.append(
            {
                "at": change.proposed_at.isoformat(),
                "title": f"{change.get_kind_display()} of the plan, {change.get_status_display().lower()}",
                "by": submission.organisation.name,
                "text": change.reason,
            }
        )
    return sorted(found, key=lambda item: item["at"])


def _words(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return "; ".join(f"{name.replace('_', ' ')}: {_words(part)}" for name, part in value.items())
    if isinstance(value, list):
        return "; ".join(_words(part) for part in value) or "none"
    return str(value)
