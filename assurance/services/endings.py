"""Suspension proposals, exit papers with their comments, publication, appeals."""

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts.models import Person, Role
from accounts.signing import sign
from assurance import regulation
from assurance.evidence.errors import InvalidInput
from assurance.models import Appeal, ExitPaper, Publication, Submission, SuspensionProposal
from assurance.services.submission_guards import planned_end
from assurance.services.submission_sides import acting_as, require_side
from records.actor import Actor
from records.canonical import content_hash
from records.services import record_event

NO_APPROVAL = "Written for regulatory learning. It is not an approval, a certificate or a presumption of conformity."
TRIGGERS = (
    "incident", "plan_limit", "drift_at_action_level", "report_overdue", "other_model_hash", "consent_or_authority",
    "person",
)  # fmt: skip
WRITTEN_IN = {
    ExitPaper.Kind.FINAL_REPORT: (("final_report_due", "terminated"), "developer"),
    ExitPaper.Kind.EXIT_REPORT: (("exit_evaluation",), "regulator"),
    ExitPaper.Kind.WRITTEN_PROOF: (("exit_evaluation",), "regulator"),
}


@transaction.atomic
def propose_suspension(
    submission: Submission, *, trigger: str, reason: str, by: Actor, evidence_sha256: str = "", subject: str = ""
) -> SuspensionProposal:
    """Raise a proposal. Thresholds and incidents may do so by themselves; only a signed decision suspends.

    The same evidence about the same ``subject`` is one proposal for ever, and while one about the subject is open there
    is no second: who calls twice gets the first back, even when it was set aside meanwhile.
    """
    submission = Submission.objects.select_for_update().get(pk=submission.pk)
    if trigger not in TRIGGERS:
        raise InvalidInput("unknown_trigger", f"trigger {trigger!r}: choose from {', '.join(TRIGGERS)}")
    if submission.state != "active":
        raise InvalidInput("not_now", f"{submission.label} is {submission.state}: only a running test is suspended")
    if not reason.strip():
        raise InvalidInput("reason_missing", "say what happened")
    same = Q(status="open", subject=subject) if subject else Q(status="open", evidence_sha256=evidence_sha256)
    if subject and evidence_sha256:
        same |= Q(subject=subject, evidence_sha256=evidence_sha256)
    if (known := submission.suspension_proposals.filter(same, trigger=trigger).first()) is not None:
        return known
    proposal = SuspensionProposal.objects.create(
        submission=submission, trigger=trigger, reason=reason.strip(), evidence_sha256=evidence_sha256,
        subject=subject[:120], raised_by_id=by.person_id,
    )  # fmt: skip
    record_event(
        action="submission.propose_suspension", subject=submission, by=by, reason=reason,
        new={"trigger": trigger, "subject": subject, "evidence_sha256": evidence_sha256},
    )  # fmt: skip
    return proposal


@transaction.atomic
def set_aside(proposal: SuspensionProposal, *, reason: str, by: Actor) -> None:
    """The decider says why the test goes on."""
    require_side(proposal.submission, by, "regulator", roles=(Role.REGULATOR_DECIDER,))
    if not reason.strip():
        raise InvalidInput("reason_missing", "say why the test may go on")
    SuspensionProposal.objects.filter(pk=proposal.pk, status=SuspensionProposal.Status.OPEN).update(
        status=SuspensionProposal.Status.SET_ASIDE, settled_by_id=by.person_id, settled_at=timezone.now(),
        settled_reason=reason.strip(),
    )  # fmt: skip
    record_event(
        action="submission.set_aside_suspension", subject=proposal.submission, by=by, reason=reason,
        new={"trigger": proposal.trigger},
    )  # fmt: skip


@transaction.atomic
def write_exit_paper(submission: Submission, *, kind: str, content: Mapping[str, Any], by: Actor) -> ExitPaper:
    """Keep a document of the end; each save is a new version. It always says that it is no approval."""
    submission = Submission.objects.select_for_update().get(pk=submission.pk)
    if kind not in ExitPaper.Kind.values:
        raise InvalidInput("unknown_kind", f"kind {kind!r}: choose from {', '.join(ExitPaper.Kind.values)}")
    states, side = WRITTEN_IN[ExitPaper.Kind(kind)]
    require_side(submission, by, side)
    if submission.state not in states:
        raise InvalidInput("not_now", f"{submission.label} is {submission.state}: this is written in {states[0]}")
    if not any(str(value).strip() for value in content.values()):
        raise InvalidInput("empty", "the document is empty")
    whole = {**dict(content), "statement": NO_APPROVAL}
    paper = ExitPaper.objects.create(
        submission=submission, kind=kind, content=whole, sha256=content_hash(whole), author_id=by.person_id,
        shared_at=timezone.now() if side == "developer" else None,
    )  # fmt: skip
    record_event(action="exit.write", subject=submission, by=by, new={"kind": kind, "sha256": paper.sha256})
    return paper


def drafted_exit_report(submission: Submission) -> dict[str, Any]:
    """What the record already knows for the exit report: objectives, activities, questions, suspensions, duties."""
    plan = submission.plans.exclude(frozen_at=None).order_by("-revision").first()
    content = plan.content if plan else {}
    steps = submission.changes.exclude(transition__in=("t01", "t02", "t03", "t04", "t05"))
    return {
        "objective": content.get("question", ""), "criterion": content.get("answer_criterion", ""),
        "activities": "\n".join(f"{step.at:%Y-%m-%d} {step.source} to {step.target}" for step in steps),
        "questions": "\n".join(f"{r.number}. {r.question}" for r in submission.requests.all()),
        "suspensions": "\n".join(f"{p.raised_at:%Y-%m-%d} {p.trigger}: {p.reason}"
                                 for p in submission.suspension_proposals.all()) or "none",
        "duties": ", ".join(str(duty) for duty in content.get("duties", [])),
        "planned_end": str(planned_end(submission) or ""), "ended": f"{submission.ended_at:%Y-%m-%d}"
        if submission.ended_at else "", "lessons": "", "conclusion": "",
    }  # fmt: skip


@transaction.atomic
def share_exit_paper(paper: ExitPaper, *, by: Actor) -> None:
    """Let the participant read the exit report and comment."""
    require_side(paper.submission, by, "regulator")
    ExitPaper.objects.filter(pk=paper.pk, shared_at=None).update(shared_at=timezone.now())
    record_event(action="exit.share", subject=paper.submission, by=by, new={"sha256": paper.sha256})


@transaction.atomic
def comment_exit_paper(paper: ExitPaper, *, comment: str, by: Actor) -> None:
    """The participant's comment, once; "no comment" is one too."""
    paper = ExitPaper.objects.select_for_update().select_related("submission").get(pk=paper.pk)
    require_side(paper.submission, by, "developer")
    if paper.shared_at is None:
        raise InvalidInput("not_shared", "this document was not shared with you yet")
    if not comment.strip():
        raise InvalidInput("empty", "the comment is empty: write at least that there is none")
    changed = ExitPaper.objects.filter(pk=paper.pk, commented_at=None).update(
        comment=comment.strip(), commented_by_id=by.person_id, commented_at=timezone.now()
    )
    if not changed:
        raise InvalidInput("done", "the comment was given already")
    record_event(action="exit.comment", subject=paper.submission, by=by, new={"sha256": paper.sha256}, reason=comment)


@transaction.atomic
def ask_publication(submission: Submission, *, redacted: str, by: Actor) -> Publication:
    """Propose the version of the exit papers that may be published."""
    submission = Submission.objects.select_for_update().get(pk=submission.pk)
    require_side(submission, by, "regulator")
    if submission.state != "exited":
        raise InvalidInput("not_now", f"{submission.label} is {submission.state}: publication follows the exit")
    if regulation.profile_from(submission.profile_terms).publication == "none":
        raise InvalidInput("never", "this programme publishes nothing")
    if not redacted.strip():
        raise InvalidInput("empty", "the text to publish is empty")
    if Publication.objects.filter(submission=submission).exclude(status=Publication.Status.ASKED).exists():
        raise InvalidInput("done", "publication is already under way")
    found, _ = Publication.objects.update_or_create(
        submission=submission, defaults={"redacted": redacted.strip(), "sha256": content_hash(redacted.strip())}
    )
    record_event(action="publication.ask", subject=submission, by=by, new={"sha256": found.sha256})
    return found


@transaction.atomic
def agree_publication(
    publication: Publication, *, person: Person, password: str, code: str, request_id: str = ""
) -> Publication:
    """Sign the redacted version for one side; with both signatures it counts as published."""
    publication = Publication.objects.select_for_update().select_related("submission").get(pk=publication.pk)
    if publication.status in (Publication.Status.PUBLISHED, Publication.Status.DECLINED):
        raise InvalidInput("done", f"publication is {publication.get_status_display().lower()}")
    submission = publication.submission
    sides = (
        (Role.DEVELOPER_APPROVER, "participant_signature", Publication.Status.PARTICIPANT_AGREED),
        (Role.REGULATOR_DECIDER, "authority_signature", Publication.Status.AUTHORITY_AGREED),
    )
    acting = [(side, acting_as(submission, person, (side[0],), request_id=request_id)) for side in sides]
    (_, column, status), by = next(((side, by) for side, by in acting if by), (sides[0], None))
    if by is None:
        raise PermissionDenied("publication is signed by the developer's approver and the regulator's decider")
    signature = sign(
        publication, content_sha256=publication.sha256, meaning="approval", person=person, password=password, code=code,
        request_id=request_id,
    )  # fmt: skip
    setattr(publication, column, signature.pk)
    both = publication.participant_signature and publication.authority_signature
    publication.status = Publication.Status.PUBLISHED if both else status
    publication.changed_at = timezone.now()
    publication.save()
    record_event(action="publication.agree", subject=submission, by=by, new={"status": publication.status})
    return publication


@transaction.atomic
def decline_publication(submission: Submission, *, reason: str, by: Actor) -> Publication:
    """Either side may say no, with the reason; nothing is published then."""
    submission = Submission.objects.select_for_update().get(pk=submission.pk)
    roles = (Role.DEVELOPER_APPROVER, Role.REGULATOR_DECIDER)
    if by.role not in roles:
        raise PermissionDenied("publication is declined by the developer's approver or the regulator's decider")
    if submission.state != "exited" or not reason.strip():
        raise InvalidInput("reason_missing", "publication is declined after the exit, with a reason")
    found, _ = Publication.objects.get_or_create(submission=submission)
    if found.status == Publication.Status.PUBLISHED:
        raise InvalidInput("done", "it is published already")
    found.status, found.reason, found.changed_at = Publication.Status.DECLINED, reason.strip(), timezone.now()
    found.save()
    record_event(action="publication.decline", subject=submission, by=by, reason=reason)
    return found


@transaction.atomic
def lodge_appeal(submission: Submission, *, reasons: str, by: Actor) -> Appeal:
    """Appeal against a refusal, within the time that the programme gives."""
    submission = Submission.objects.select_for_update().get(pk=submission.pk)
    require_side(submission, by, "developer", roles=(Role.DEVELOPER_APPROVER,))
    profile = regulation.profile_from(submission.profile_terms)
    if submission.state != "refused":
        raise InvalidInput("not_now", f"{submission.label} is {submission.state}: only a refusal is appealed")
    if not profile.appeal_days:
        raise InvalidInput("never", f"the programme {profile.title} knows no appeal")
    if (timezone.now() - submission.state_since).days >= profile.appeal_days:
        raise InvalidInput("too_late", f"an appeal is lodged within {profile.appeal_days} days of the refusal")
    if not reasons.strip():
        raise InvalidInput("reason_missing", "an appeal gives its reasons")
    if submission.appeals.filter(lodged_at__gte=submission.state_since).exists():
        raise InvalidInput("done", "an appeal against this refusal was lodged already")
    appeal = Appeal.objects.create(submission=submission, reasons=reasons.strip(), author_id=by.person_id)
    record_event(action="appeal.lodge", subject=submission, by=by, reason=reasons)
    return appeal


@transaction.atomic
def settle_appeal(appeal: Appeal, *, upheld: bool, reason: str, by: Actor) -> Appeal:
    """Uphold or dismiss. Who decided on the refusal does not settle the appeal against it."""
    appeal = Appeal.objects.select_for_update().select_related("submission").get(pk=appeal.pk)
    require_side(appeal.submission, by, "regulator", roles=(Role.REGULATOR_DECIDER,))
    if appeal.status != Appeal.Status.LODGED:
        raise InvalidInput("done", f"the appeal is {appeal.get_status_display().lower()}")
    if not reason.strip():
        raise InvalidInput("reason_missing", "say why the appeal is upheld or dismissed")
    refusal = appeal.submission.changes.filter(target="refused").order_by("-pk").first()
    if refusal and refusal.person_id == by.person_id:
        raise PermissionDenied("who signed the refusal does not settle the appeal against it")
    appeal.status = Appeal.Status.UPHELD if upheld else Appeal.Status.DISMISSED
    appeal.settled_by_id, appeal.settled_at, appeal.settled_reason = by.person_id, timezone.now(), reason.strip()
    appeal.save()
    record_event(action="appeal.settle", subject=appeal.submission, by=by, reason=reason, new={"status": appeal.status})
    return appeal
