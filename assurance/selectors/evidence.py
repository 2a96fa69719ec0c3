"""Every piece of evidence that serves a submission, with where it stands today."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse

from assurance import regulation
from assurance.cards.answers import findings_in
from assurance.cards.fields import Field
from assurance.models import (
    CardRevision,
    Deployment,
    EvidenceItem,
    FindingRecord,
    ModelVersion,
    SandboxPlan,
    Submission,
    SuspensionProposal,
)
from assurance.requirements.coverage import Evidence
from assurance.selectors.cards import cited_findings, latest_revision
from records.canonical import content_hash
from records.models import AuditEvent, Signature

CARD_ORIGINS = ("model card", "dataset registry")  # kinds that a card's words can serve


def findings_for(
    *, submission: Submission | None = None, deployment: Deployment | None = None, start: datetime | None = None,
    end: datetime | None = None,
) -> "QuerySet[FindingRecord]":  # fmt: skip
    """Current findings of a deployment, or of a submission's deployments and version, whose windows overlap a span."""
    rows = FindingRecord.objects.filter(superseded_by=None).select_related("deployment", "version__model")
    if deployment is not None:
        rows = rows.filter(deployment=deployment)
    if submission is not None:
        of_deployments = FindingRecord.objects.filter(deployment__in=submission.deployments.all())
        rows = rows.filter(pk__in=of_deployments.values("pk")) | rows.filter(
            version=submission.version, deployment=None
        )
    if start is not None:
        rows = rows.filter(window_end__gt=start)
    if end is not None:
        rows = rows.filter(window_start__lt=end)
    return rows


def pieces_of(submission: Submission) -> list[Evidence]:
    """All evidence of ``submission``: what people filed, what its card says, what the platform itself recorded."""
    return [*filed(submission), *from_card(submission), *recorded(submission)]


def filed(submission: Submission) -> list[Evidence]:
    items = submission.evidence.filter(withdrawn_at=None).select_related(
        "finding__superseded_by", "finding__version", "card_revision__card"
    )
    waiting = submission.suspension_proposals.filter(status="open").order_by("raised_at").first()
    return [_held_back(piece_of(item, submission.version), item, waiting) for item in items]


def _held_back(piece: Evidence, item: EvidenceItem, proposal: SuspensionProposal | None) -> Evidence:
    """Results that are filed while a suspension is proposed do not count until a person has settled the question."""
    if proposal is None or item.added_at < proposal.raised_at or not piece.serves or item.kind not in _results():
        return piece
    why = (
        f"filed while a proposal to suspend ({proposal.trigger.replace('_', ' ')}) is open: counted once it is settled"
    )
    return replace(piece, standing="insufficient", reason=why)


@lru_cache(maxsize=1)
def _results() -> frozenset[str]:
    return frozenset(regulation.content("submission_states")["groups"]["activity"])


def piece_of(item: EvidenceItem, version: ModelVersion) -> Evidence:
    standing, reason = item.standing, item.reason
    if standing == EvidenceItem.Standing.PRESENT:
        standing, reason = _standing(item, version)
    return Evidence(
        kind=item.kind, title=item.title, sha256=item.sha256, standing=standing, reason=reason,
        address=_address(item), id=f"item-{item.pk}",
    )  # fmt: skip


def _standing(item: EvidenceItem, version: ModelVersion) -> tuple[str, str]:
    if item.finding:
        return finding_standing(item.finding, version)
    if item.card_revision:
        newest = item.card_revision.card.latest()
        if newest and newest.pk != item.card_revision_id:
            return "stale", f"card revision {item.card_revision.number} was followed by revision {newest.number}"
    return "current", ""


def finding_standing(finding: FindingRecord, version: ModelVersion) -> tuple[str, str]:
    """Whether a Finding still serves: not when superseded, without a value, or of another version."""
    if finding.superseded_by:
        return "stale", f"Finding {finding.evidence_id} was superseded by {finding.superseded_by.evidence_id}"
    if finding.version_id and finding.version_id != version.pk:
        return "stale", f"Finding {finding.evidence_id} was computed on another version"
    if finding.value is None or finding.state == "insufficient":
        why = finding.content.get("reason", "too few cases")
        return "insufficient", f"Finding {finding.evidence_id} has too little data ({why})"
    return "current", ""


def _address(item: EvidenceItem) -> str:
    if item.finding:
        return reverse("assurance:finding", args=[item.finding.digest])
    if item.card_revision:
        card = reverse("assurance:card", args=[item.card_revision.card.version_id])
        return f"{card}?revision={item.card_revision.number}"
    if item.artefact_id:  # the row itself may belong to an organisation whose files this session cannot see
        return reverse("assurance:evidence_file", args=[item.submission_id, item.pk])
    return ""


def bound_revision(submission: Submission) -> CardRevision | None:
    """The card revision that the submission rests on: the one in its frozen snapshot, else the newest."""
    part = (submission.snapshot or {}).get("card")
    if part:
        return CardRevision.objects.filter(card__version=submission.version, sha256=part["sha256"]).first()
    return latest_revision(submission.version)


def from_card(submission: Submission) -> list[Evidence]:
    revision = bound_revision(submission)
    if revision is None:
        return []
    newest = latest_revision(submission.version)
    later = newest.answers if newest and newest.pk != revision.pk else revision.answers
    address = f"{reverse('assurance:card', args=[submission.version_id])}?revision={revision.number}"
    pieces = []
    for kind, fields in _fields_by_kind().items():
        pieces.append(_card_piece(kind, fields, revision, later, address))
    found = cited_findings(revision)
    for digest, names in findings_in(revision.answers).items():
        record = found.get(digest)
        if record is None:
            continue
        standing, reason = finding_standing(record, submission.version)
        for name in names:
            for kind in regulation.card_schema().field(name).evidence:
                if regulation.catalogue().kind(kind).computed:
                    pieces.append(
                        Evidence(
                            kind=kind, title=f"Card, {name}", sha256=digest, standing=standing, reason=reason,
                            address=reverse("assurance:finding", args=[digest]), id=f"card-{name}-{digest[:12]}",
                        )
                    )  # fmt: skip
    return [piece for piece in pieces if piece is not None]


@lru_cache(maxsize=1)
def _fields_by_kind() -> dict[str, list[Field]]:
    kinds = regulation.catalogue().kinds
    found: dict[str, list[Field]] = {}
    for field in regulation.card_schema():
        for kind in field.evidence:
            if not kinds[kind].computed and kinds[kind].origin in CARD_ORIGINS:
                found.setdefault(kind, []).append(field)
    return found


def _card_piece(
    kind: str, fields: list[Field], revision: CardRevision, later: Mapping[str, Any], address: str
) -> Evidence | None:
    """One piece for each kind that the card serves: whole only when every required field of the kind is settled."""
    answers = {field.id: revision.answers[field.id] for field in fields if field.id in revision.answers}
    if not answers:
        return None
    needed = [field for field in fields if field.required == "yes"] or fields
    open_fields = [field.title for field in needed if field.id not in answers]
    absent = [
        f"{field.title}: {answers[field.id]['reason']}"
        for field in needed
        if answers.get(field.id, {}).get("status") == "not_available" and not field.rule_allows_not_available
    ]
    changed = [field.title for field in fields if revision.answers.get(field.id) != later.get(field.id)]
    standing, reason = "current", ""
    if changed:
        standing, reason = "stale", f"the card changed after revision {revision.number} in {', '.join(changed)}"
    elif open_fields:
        standing, reason = "insufficient", f"the card leaves open {', '.join(open_fields)}"
    elif absent:
        standing, reason = "not_available", "; ".join(absent)
    return Evidence(
        kind=kind, title=f"Model card, revision {revision.number}", sha256=content_hash(answers), standing=standing,
        reason=reason, address=address, id=f"card-{kind}",
    )  # fmt: skip


def recorded(submission: Submission) -> list[Evidence]:
    """What the platform's own records prove: plan, decisions, questions, exit papers, signatures, trail, lineage."""
    pieces = []
    plan = current_plan(submission)
    if plan:
        title = f"Plan revision {plan.revision}" + (", frozen" if plan.frozen_at else ", not frozen")
        pieces.append(Evidence("sandbox.plan", title, plan.sha256, id=f"plan-{plan.pk}"))
    for decision in submission.decisions.exclude(decided_at=None):
        pieces.append(Evidence("sandbox.decision", str(decision), decision.sha256, id=f"decision-{decision.pk}"))
    for request in submission.requests.prefetch_related("answers"):
        words = {"question": request.question, "answers": [answer.text for answer in request.answers.all()]}
        pieces.append(Evidence("sandbox.activity", str(request), content_hash(words), id=f"request-{request.pk}"))
    for assessment in submission.assessments.exclude(signed_at=None):
        pieces.append(Evidence("sandbox.activity", str(assessment), assessment.sha256, id=f"assess-{assessment.pk}"))
    for change in submission.changes.filter(target__in=("active", "suspended", "final_report_due", "terminated")):
        words = {"transition": change.transition, "at": change.at, "reason": change.reason}
        pieces.append(Evidence("sandbox.activity", str(change), content_hash(words), id=f"change-{change.pk}"))
    for incident in submission.incidents.all():
        words = {"incident": incident.incident_number, "event_kind": incident.event_kind, "status": incident.status}
        pieces.append(Evidence("incident.log", f"{incident}, {incident.get_status_display().lower()}",
                               content_hash(words), address=f"/incidents/{incident.incident_number}",
                               id=f"incident-{incident.pk}"))  # fmt: skip
    for test in submission.real_world_tests.exclude(status="planned"):
        words = {"sha256": test.sha256, "status": test.status, "registration": test.registration}
        pieces.append(Evidence("sandbox.activity", f"{test}, {test.get_status_display().lower()}",
                               content_hash(words), id=f"test-{test.pk}"))  # fmt: skip
    for paper in submission.exit_papers.all():
        pieces.append(Evidence("sandbox.exit", str(paper), paper.sha256, id=f"paper-{paper.pk}"))
    for signature in signatures_on(submission):
        title = f"{signature.printed_name}: {signature.meaning}"
        pieces.append(Evidence("signature", title, content_hash(signature.statement()), id=f"sign-{signature.pk}"))
    events = AuditEvent.objects.filter(subject_kind="assurance.submission", subject_id=str(submission.pk))
    last = events.order_by("-pk").first()
    if last:
        title = f"{events.count()} events, the last one {last.action}"
        pieces.append(Evidence("audit_trail", title, last.sha256, id="trail"))
    version = submission.version
    lineage = {"weights": version.weights_sha256, "base": version.base.weights_sha256 if version.base else None}
    for kind in ("model_card.identity", "change_control.version_history"):
        pieces.append(
            Evidence(
                kind, f"Registry entry of {version}", content_hash(lineage | {"version": version.version}),
                address=reverse("assurance:version", args=[version.pk]), id=f"registry-{kind}",
            )
        )  # fmt: skip
    return pieces


def current_plan(submission: Submission) -> SandboxPlan | None:
    """The newest frozen plan; while none is frozen, the newest revision."""
    frozen = submission.plans.exclude(frozen_at=None).order_by("-revision").first()
    return frozen or submission.plans.order_by("-revision").first()


def signatures_on(submission: Submission) -> list[Signature]:
    plans = [str(pk) for pk in submission.plans.values_list("pk", flat=True)]
    on_file = Signature.objects.filter(subject_kind="assurance.submission", subject_id=str(submission.pk))
    on_plans = Signature.objects.filter(subject_kind="assurance.sandboxplan", subject_id__in=plans)
    return sorted([*on_file, *on_plans], key=lambda signature: signature.pk)
