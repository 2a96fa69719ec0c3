"""The guards of the state machine: each says in words what is still missing, or nothing."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from accounts.models import Person, Role
from assurance import regulation
from assurance.models import Appeal, Assessment, Decision, ExitPaper, Publication, SandboxPlan, StateChange, Submission
from assurance.requirements.coverage import Evidence, by_kind
from assurance.selectors.cards import latest_revision
from assurance.selectors.evidence import current_plan, pieces_of
from assurance.services.snapshots import build_snapshot, open_gaps
from assurance.submissions.machine import Transition
from assurance.submissions.profiles import Profile
from records.canonical import content_hash
from records.models import Signature


@dataclass
class Case:
    """One step that somebody wants to take, with what the guards look at."""

    submission: Submission
    transition: Transition
    person: Person | None
    now: datetime
    profile: Profile
    evidence: dict[str, list[Evidence]] = field(default_factory=dict)

    @property
    def plan(self) -> SandboxPlan | None:
        return current_plan(self.submission)

    @property
    def plan_content(self) -> dict[str, Any]:
        return self.plan.content if self.plan else {}

    @property
    def real_world(self) -> bool:
        return "real_world" in self.plan_content.get("environments", []) or bool(
            self.submission.facts.get("real_world")
        )

    @property
    def personal_data(self) -> bool:
        return bool(self.plan_content.get("personal_data", self.submission.facts.get("personal_data")))

    def last_step_into(self, *states: str) -> StateChange | None:
        return self.submission.changes.filter(target__in=states).order_by("-pk").first()

    def decision(self) -> Decision | None:
        prepared = self.submission.decisions.filter(transition=self.transition.id, decided_at=None)
        return prepared.order_by("-prepared_at").first()

    def assessment(self, stage: str) -> Assessment | None:
        """The newest signed assessment of the stage since the file last came to be assessed."""
        since = self.last_step_into("under_assessment" if stage == "admission" else "exit_evaluation")
        signed = self.submission.assessments.filter(stage=stage).exclude(signed_at=None)
        if since and stage == "exit":
            signed = signed.filter(signed_at__gte=since.at)
        return signed.order_by("-signed_at").first()


def case_of(
    submission: Submission, transition: Transition, person: Person | None, now: datetime,
    evidence: dict[str, list[Evidence]] | None = None,
) -> Case:  # fmt: skip
    """The case of one step; ``evidence`` spares a second look when several steps are asked about at once."""
    return Case(
        submission=submission, transition=transition, person=person, now=now,
        profile=regulation.profile_from(submission.profile_terms),
        evidence=by_kind(pieces_of(submission)) if evidence is None else evidence,
    )  # fmt: skip


def missing_for(case: Case) -> list[str]:
    """What must still be present or done before the step; empty when nothing is."""
    missing = [text for kind in case.transition.requires if (text := _missing_kind(case, kind))]
    missing += [text for name in case.transition.checks if (text := CHECKS[name](case))]
    if case.transition.id in ("t12", "t13") and (text := _every_item_answered(case)) and text not in missing:
        missing.append(text)
    return missing


def _missing_kind(case: Case, kind: str) -> str:
    title = regulation.catalogue().kind(kind).title
    if kind == "sandbox.decision":
        return "" if case.decision() else f"a decision for this step ({case.transition.id}) is not prepared yet"
    if kind == "sandbox.activity" and case.transition.id in ("t08", "t11"):
        asked = case.submission.requests.filter(
            asked_in=case.submission.state, asked_at__gte=case.submission.state_since, status="open"
        )
        reopened = case.submission.requests.filter(status="reopened")
        return "" if asked.exists() or reopened.exists() else "ask at least one question first"
    if kind == "sandbox.activity" and case.transition.reason_mandatory:
        return ""  # the mandatory reason itself is recorded as the activity
    if kind == "sandbox.exit":
        wanted = "final_report" if case.transition.id == "t24" else "exit_report"
        there = case.submission.exit_papers.filter(kind=wanted).exists()
        return "" if there else f"the {dict(ExitPaper.Kind.choices)[wanted].lower()} is not written yet"
    held = case.evidence.get(kind, [])
    if any(piece.serves for piece in held):
        return ""
    reasoned = [p for p in held if p.standing in ("not_available", "not_applicable") and p.reason]
    if reasoned and not kind.startswith("sandbox."):
        return ""
    why = "; ".join(sorted({f"{piece.standing}: {piece.reason}" for piece in held}))
    return f"{title} ({kind}) is missing" + (f" ({why})" if why else "")


# Each guard gives "" when it is met, or what is missing.


def _no_open_blocking_gap(case: Case) -> str:
    gaps = open_gaps([piece for pieces in case.evidence.values() for piece in pieces])["blocking"]
    return "" if not gaps else "missing without a reason: " + ", ".join(gap["title"] for gap in gaps)


def _reasons_given(case: Case) -> str:
    revision = latest_revision(case.submission.version)
    silent = [
        key
        for key, answer in (revision.answers if revision else {}).items()
        if answer["status"] != "answered" and not answer["reason"]
    ]
    return "" if not silent else "no reason for " + ", ".join(silent)


def _snapshot_frozen(case: Case) -> str:
    if not case.submission.snapshot:
        return "there is no snapshot yet"
    now = content_hash(build_snapshot(case.submission))
    return (
        "" if now == case.submission.snapshot_sha256 else "the content changed after its author signed it: take it back"
    )


def _fact(name: str, missing: str) -> Callable[[Case], str]:
    return lambda case: "" if case.submission.facts.get(name) else missing


def _sites_committed(case: Case) -> str:
    if not case.profile.sites_must_sign(real_world=case.real_world):
        return ""
    return _site_signatures(case, "assurance.submission", str(case.submission.pk), case.submission.snapshot_sha256)


def _sites_signed_plan(case: Case) -> str:
    if not case.profile.sites_must_sign(real_world=case.real_world):
        return ""
    if case.plan is None:
        return "there is no plan"
    return _site_signatures(case, "assurance.sandboxplan", str(case.plan.pk), case.plan.sha256)


def _site_signatures(case: Case, kind: str, key: str, sha256: str) -> str:
    signed = set(
        Signature.objects.filter(
            subject_kind=kind, subject_id=key, content_sha256=sha256, role=Role.HOSPITAL_SIGNATORY
        ).values_list("organisation_id", flat=True)
    )
    waiting = [
        deployment.organisation.name
        for deployment in case.submission.deployments.select_related("organisation")
        if deployment.organisation_id not in signed
    ]
    return "" if not waiting else "signature of a signatory of " + ", ".join(sorted(set(waiting)))


def _approver_signed_plan(case: Case) -> str:
    if case.plan is None or case.plan.frozen_at is None:
        return "the plan is not frozen"
    signed = Signature.objects.filter(
        subject_kind="assurance.sandboxplan", subject_id=str(case.plan.pk), content_sha256=case.plan.sha256,
        role=Role.DEVELOPER_APPROVER, organisation_id=case.submission.organisation_id,
    )  # fmt: skip
    return "" if signed.exists() else "the developer's approver has not signed the frozen plan"


def _end_date_set(case: Case) -> str:
    end = planned_end(case.submission)
    return "" if end and end > case.now.date() else "the plan has no end date in the future"


def planned_end(submission: Submission) -> date | None:
    plan = current_plan(submission)
    text = (plan.content if plan else {}).get("end_date")
    try:
        return date.fromisoformat(str(text)) if text else None
    except ValueError:
        return None


def _stop_rules_set(case: Case) -> str:
    return "" if case.plan_content.get("stop_rules") else "the plan has no stop rules"


def _authority_named(case: Case) -> str:
    if not case.personal_data or case.plan_content.get("data_protection_authority"):
        return ""
    return "personal data are used and the plan names no data protection authority"


def _ethics_approved(case: Case) -> str:
    if not case.real_world or any(piece.serves for piece in case.evidence.get("ethics.approval", [])):
        return ""
    return "the test is in the real world and no ethics approval is on file"


def _suspension_conditions(case: Case) -> str:
    open_ones = [
        condition.text
        for decision in case.submission.decisions.filter(transition="t18").exclude(decided_at=None)
        for condition in decision.conditions.filter(status="open")
    ]
    return "" if not open_ones else "open conditions of the suspension: " + "; ".join(open_ones)


def _planned_end_reached(case: Case) -> str:
    end = planned_end(case.submission)
    return "" if end and case.now.date() >= end else f"the planned end is {end or 'not set'}"


def _deletion_attested(case: Case) -> str:
    if case.profile.personal_data_rules != "art_59" or not case.personal_data:
        return ""
    attested = case.submission.facts.get("deletion_attested")
    return "" if attested else "personal data were used and their deletion is not attested"


def _assessed_by_another(stage: str) -> Callable[[Case], str]:
    def check(case: Case) -> str:
        found = case.assessment(stage)
        if found is None:
            return "no assessor has signed " + (
                "an assessment" if stage == "admission" else "the evaluation of the exit"
            )
        own = case.person is not None and found.author_id == case.person.pk
        return "the assessment was signed by the decider alone" if own else ""

    return check


def _criteria_answered(case: Case) -> str:
    found = case.assessment("admission")
    answered = found.criteria if found else {}
    waiting = [criterion for criterion in case.profile.criteria if not answered.get(criterion)]
    return "" if not waiting else "criteria without an answer: " + ", ".join(waiting)


def _conditions_listed(case: Case) -> str:
    decision = case.decision()
    if decision is None or decision.conditions.exists() or decision.no_conditions:
        return ""
    return "the decision lists no condition and does not say that there are none"


def _not_eligible_only(case: Case) -> str:
    decision = case.decision()
    if decision is None or decision.ground == "not_eligible":
        return ""
    return "before an assessment the only ground of a refusal is that the applicant is not eligible"


def _came_from(state: str) -> Callable[[Case], str]:
    def check(case: Case) -> str:
        step = case.last_step_into("information_requested")
        return "" if step and step.source == state else f"the questions were not asked in {state.replace('_', ' ')}"

    return check


def _every_item_answered(case: Case) -> str:
    waiting = [f"question {r.number}" for r in case.submission.requests.filter(status__in=("open", "reopened"))]
    return "" if not waiting else "not answered: " + ", ".join(waiting)


def _participant_commented(case: Case) -> str:
    report = case.submission.exit_papers.filter(kind="exit_report").order_by("-written_at").first()
    if report is None or report.shared_at is None:
        return "the exit report was not shared with the participant"
    over = case.now >= report.shared_at + timedelta(days=case.profile.comment_days)
    return "" if report.commented_at or over else f"the participant has {case.profile.comment_days} days to comment"


def _appeal_upheld(case: Case) -> str:
    since = case.last_step_into("refused")
    upheld = case.submission.appeals.filter(status=Appeal.Status.UPHELD)
    if since:
        upheld = upheld.filter(lodged_at__gte=since.at)
    return "" if upheld.exists() else "no appeal is upheld"


def _overdue(case: Case) -> str:
    limit = timedelta(days=case.profile.withdrawal_after_days)
    late = case.submission.requests.filter(status__in=("open", "reopened"), asked_at__lte=case.now - limit)
    return "" if late.exists() else f"no question is unanswered for {case.profile.withdrawal_after_days} days"


def _warned_twice(case: Case) -> str:
    warned = case.submission.requests.filter(status__in=("open", "reopened"), warnings__gte=2)
    return "" if warned.exists() else "the participant was not warned twice"


def _appeal_time_over(case: Case) -> str:
    step = case.last_step_into("refused")
    if step is None or case.submission.state != "refused":
        return ""
    if case.submission.appeals.filter(status=Appeal.Status.LODGED).exists():
        return "an appeal is not settled"
    over = case.now >= step.at + timedelta(days=case.profile.appeal_days)
    return "" if over else f"the applicant has {case.profile.appeal_days} days to appeal"


def _publication_decided(case: Case) -> str:
    if case.submission.state != "exited" or case.profile.publication == "none":
        return ""
    found = Publication.objects.filter(submission=case.submission).first()
    settled = found and found.status in (Publication.Status.PUBLISHED, Publication.Status.DECLINED)
    return "" if settled else "publication is not decided"


CHECKS: dict[str, Callable[[Case], str]] = {
    "no_open_blocking_gap": _no_open_blocking_gap,
    "every_not_available_has_reason": _reasons_given,
    "snapshot_hash_frozen": _snapshot_frozen,
    "terms_accepted": _fact("terms", "the entry terms are not accepted"),
    "confidentiality_marks_confirmed": _fact("confidentiality", "the confidentiality marks are not confirmed"),
    "site_signatures_present": _sites_committed,
    "not_eligible_only": _not_eligible_only,
    "came_from_completeness_check": _came_from("completeness_check"),
    "came_from_assessment": _came_from("under_assessment"),
    "every_item_answered": _every_item_answered,
    "assessment_signed_by_another_person": _assessed_by_another("admission"),
    "criteria_each_answered": _criteria_answered,
    "conditions_listed": _conditions_listed,
    "developer_approver_signed_plan": _approver_signed_plan,
    "hospital_signatory_signed_for_each_site": _sites_signed_plan,
    "end_date_set": _end_date_set,
    "stop_rules_set": _stop_rules_set,
    "data_protection_authority_named_if_personal_data": _authority_named,
    "ethics_and_test_approval_if_real_world": _ethics_approved,
    "all_conditions_of_suspension_met": _suspension_conditions,
    "planned_end_reached": _planned_end_reached,
    "deletion_of_personal_data_attested_if_art_59": _deletion_attested,
    "assessor_signed_evaluation": _assessed_by_another("exit"),
    "participant_had_chance_to_comment": _participant_commented,
    "profile_is_advice_only": lambda case: (
        "" if case.profile.advice_only else "the programme does not give advice only"
    ),
    "appeal_upheld": _appeal_upheld,
    "answer_overdue_beyond_profile_limit": _overdue,
    "warned_twice": _warned_twice,
    "appeal_time_over": _appeal_time_over,
    "publication_decided": _publication_decided,
}
