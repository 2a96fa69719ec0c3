"""A submission from its draft to the agreed plan, by the people whose step it is and with every signature."""

from collections.abc import Callable
from datetime import date, timedelta
from functools import partial
from typing import Any

from accounts.permissions import Action, require
from accounts.signing import signatures_of
from assurance import regulation
from assurance.models import Deployment, FindingRecord, ModelVersion, SandboxPlan, Submission
from assurance.selectors.findings import current
from assurance.services.cards import save_card
from assurance.services.plans import freeze_plan, save_plan, sign_plan
from assurance.services.proceedings import prepare_decision, sign_assessment
from assurance.services.submissions import add_evidence, declare, move_submission, start_submission
from config.demo.card import brain_card
from config.demo.cast import Cast
from config.demo.codes import Codes

Tell = Callable[[str], None]
PROFILE = "eu-ai-act-sandbox"
ABSENT = {  # what there is no computed proof of, with the reason that the file carries
    "performance.subgroup": "One head: there are no patient subgroups; results by scanner come with the monitoring.",
    "dataset.partitioning": "The applicant trains nothing. Reference and monitored slices are of one head: they share "
    "a patient; no computed proof of separation can exist.",
}
WORDS = {  # evidence that is given in words; computed kinds are Findings
    "sandbox.application": "Question: does a promptable foundation model stay accurate when a scanner's software "
    "changes, and is that seen in time without labels? Ordinary routes do not settle how a foundation model is watched "
    "after deployment. Eligible: provider of a system that is not on the market.",
    "standards.list": "EU AI Act Articles 9, 10, 13 to 15, 57 to 60, 72; EU MDR Articles 83 to 92; ISO 14971.",
    "risk_management": "Hazard: an outline that misses brain after an acquisition change. Control: review of each one, "
    "monitoring plan with stop rule. Residual risk acceptable while every outline is reviewed.",
    "human_oversight": "A radiographer checks each outline; the QA lead may stop use at once.",
    "monitoring.plan": "Windows of 28 days, W1/σ act at 0.5 sd, Dice limit 0.85, alarms handled in two days.",
    "privacy.protection": "No personal data: a public template head under keyed pseudonyms.",
}
PLAN = {
    "question": "Does Brain Outline keep a mean Dice of 0.85 at both scanners, and is a change seen in time?",
    "method": "Weekly surveillance of image quality and outputs; Dice on all slices, since the truth is known here.",
    "answer_criterion": "An alarm within one window of a change that lowers mean Dice below 0.85, and none before it.",
    "environments": ["virtual"],
    "safeguards": ["every outline is reviewed", "apart from the clinical decision path"],
    "stop_rules": ["mean Dice with its whole interval below 0.85 at a scanner"],
    "thresholds": {"dice": 0.85, "w1_sd_act": 0.5, "w1_sd_watch": 0.2},
    "test_sets": ["MNI152 axial slices 56 to 131, truth by tissue maps"],
    "incident_procedure": "Alarm to safety officer, triage within two days, clocks of the duties in force.",
    "duties": ["EU AI Act Article 72", "EU MDR Article 87"],
    "personal_data": False,
}  # fmt: skip


def bring_to_active(
    cast: Cast, codes: Codes, *, version: ModelVersion, deployment: Deployment, today: date, tell: Tell
) -> Submission:
    """Every step is skipped when it was taken before, so a demo that was interrupted goes on where it stood."""
    submission = Submission.objects.filter(version=version).order_by("pk").first() or _start(cast, version, deployment)
    _draft(cast, submission, version, deployment)
    steps: tuple[tuple[str, str, str], ...] = (
        ("t02", "author", "the author signs the draft"), ("t04", "approver", "the approver signs review and approval"),
        ("t06", "approver", "the approver submits"), ("t07", "intake", "the authority checks completeness"),
        ("t09", "intake", "complete: to the assessor"), ("t14", "decider", "admitted"),
        ("t16", "author", "the plan is negotiated"), ("t17", "decider", "the plan is approved: active"),
    )  # fmt: skip
    taken = set(submission.changes.values_list("transition", flat=True))
    for transition, who, words in steps:
        if transition in taken:
            continue
        submission.refresh_from_db()
        _before(cast, codes, submission, transition, today)
        codes.signing(who, partial(move_submission, submission, transition=transition, person=cast.person(who)))
        tell(f"  {submission.label}: {words}")
    submission.refresh_from_db()
    return submission


def _start(cast: Cast, version: ModelVersion, deployment: Deployment) -> Submission:
    by = require(cast.person("author"), Action.EDIT_SUBMISSION, cast.developer)
    return start_submission(
        organisation=cast.developer, regulator=cast.regulator, version=version, profile=PROFILE, by=by,
        title="Brain Outline on two scanners: surveillance of a foundation model", deployments=[deployment],
    )  # fmt: skip


def reference_dice(deployment: Deployment) -> FindingRecord | None:
    """Mean Dice on the frozen reference set, which stands outside the calendar windows."""
    rows = current().filter(deployment=deployment, quantity="dice", stratum="set=reference", window_start=None)
    return rows.order_by("pk").last()


def _draft(cast: Cast, submission: Submission, version: ModelVersion, deployment: Deployment) -> None:
    if submission.state != "draft":
        return
    by = require(cast.person("author"), Action.EDIT_CARD, submission)
    dice = reference_dice(deployment)
    save_card(version, answers=brain_card(version, dice=dice), by=by, reason="first card")
    held = set(submission.evidence.values_list("kind", flat=True))
    for kind, text in WORDS.items():
        if kind not in held:
            add_evidence(submission, kind=kind, text=text, title=kind, by=by)
    if "performance.overall" not in held:
        if dice is not None and dice.state != "insufficient":
            add_evidence(submission, kind="performance.overall", finding=dice, by=by)
        else:
            why = str(dice.content["reason"]) if dice else "the reference set has no case with a reader's mask"
            add_evidence(submission, kind="performance.overall", standing="not_available", reason=why, by=by)
    for kind, reason in ABSENT.items():
        if kind not in held:
            add_evidence(submission, kind=kind, standing="not_available", reason=reason, by=by)
    for fact in ("personal_data", "real_world"):
        declare(submission, fact=fact, value=False, by=by)


def _before(cast: Cast, codes: Codes, submission: Submission, transition: str, today: date) -> None:
    """What a step needs first: terms, assessment, decision, signed plan."""
    if transition == "t06":
        by = require(cast.person("approver"), Action.SUBMIT, submission)
        for fact in ("terms", "confidentiality"):
            declare(submission, fact=fact, value=True, by=by)
    if transition == "t14":
        criteria = _criteria(submission)
        assess = partial(
            sign_assessment, submission, criteria=criteria, recommendation="admit", person=cast.person("assessor")
        )
        codes.signing("assessor", assess)
        _decide(cast, submission, transition, ["Report each alarm of the plan to the authority within five days."])
    if transition == "t16":
        by = require(cast.person("author"), Action.EDIT_SUBMISSION, submission)
        save_plan(submission, content=_plan(today), by=by)
    if transition == "t17":
        plan = _frozen_plan(cast, submission)
        if not _signed(plan, cast, "approver"):
            codes.signing("approver", partial(sign_plan, plan, person=cast.person("approver")))
        if not _signed(plan, cast, "signatory"):
            codes.signing("signatory", partial(sign_plan, plan, person=cast.person("signatory")))


def _plan(today: date) -> dict[str, Any]:
    return PLAN | {"start_date": today.isoformat(), "end_date": (today + timedelta(days=180)).isoformat()}


def _frozen_plan(cast: Cast, submission: Submission) -> SandboxPlan:
    plan = submission.plans.order_by("-revision").first()
    if plan is not None and plan.frozen_at is not None:
        return plan
    by = require(cast.person("author"), Action.EDIT_SUBMISSION, submission)
    return freeze_plan(submission, by=by)


def _criteria(submission: Submission) -> dict[str, dict[str, str]]:
    reason = "Answered by the application and its evidence."
    criteria = regulation.profile_from(submission.profile_terms).criteria
    return {criterion: {"judgement": "met", "reason": reason} for criterion in criteria}


def _decide(cast: Cast, submission: Submission, transition: str, conditions: list[str]) -> None:
    by = require(cast.person("assessor"), Action.ASSESS, submission)
    prepare_decision(
        submission, transition=transition, reasons="The question is specific and the safeguards fit it.", by=by,
        conditions=conditions,
    )  # fmt: skip


def _signed(plan: SandboxPlan, cast: Cast, who: str) -> bool:
    person = cast.person(who)
    return any(one.person_id == person.pk and covers for one, covers in signatures_of(plan, content_sha256=plan.sha256))
