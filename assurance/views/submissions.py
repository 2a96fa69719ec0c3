"""The workspace of a submission: what is missing next, the file, the talk about it, and every act as one form."""

from typing import Any

import yaml
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from accounts.models import Organisation
from accounts.permissions import Action, may, organisation_ids, require
from accounts.row_security import seeing
from assurance import regulation
from assurance.acts import ACTS
from assurance.evidence.errors import InvalidInput, Unavailable
from assurance.models import Artefact, Deployment, ModelVersion, Publication, RunningSoftware, Submission
from assurance.requirements.coverage import by_kind
from assurance.selectors.coverage import coverage_totals
from assurance.selectors.evidence import current_plan, pieces_of, signatures_on
from assurance.selectors.submissions import evidence_seen_by, side_for, visible_submissions
from assurance.services.artefacts import read_artefact
from assurance.services.endings import NO_APPROVAL, drafted_exit_report
from assurance.services.plans import PARTS
from assurance.services.real_world_tests import PARTS as TEST_PARTS
from assurance.services.real_world_tests import PLANNED_IN as TESTS_PLANNED_IN
from assurance.services.real_world_tests import steps_open_to
from assurance.services.submission_clocks import due
from assurance.services.submission_guards import planned_end
from assurance.services.submissions import allowed_transitions, start_submission
from assurance.submissions.thresholds import read_bounds
from records.services import record_event

BEFORE = ("t01", "t02", "t03", "t04", "t05")


@login_required
def submission_list(request: HttpRequest) -> HttpResponse:
    rows = visible_submissions(request.user)
    state = request.GET.get("state", "")
    states = regulation.machine().states
    if state in states:
        rows = rows.filter(state=state)
    lines = [{"submission": one, "state": states[one.state], "clock": _next_due(one)} for one in rows]
    developers = Organisation.objects.filter(pk__in=organisation_ids(request.user, kinds=["developer"]))
    context = {
        "rows": lines, "states": states.values(), "state": state, "may_start": _may_start(request),
        "versions": ModelVersion.objects.filter(model__organisation__in=developers).select_related("model"),
        "regulators": Organisation.objects.filter(kind=Organisation.Kind.REGULATOR),
        "profiles": regulation.profiles().values(),
    }  # fmt: skip
    return render(request, "assurance/submission_list.html", context)


def _may_start(request: HttpRequest) -> bool:
    developers = Organisation.objects.filter(pk__in=organisation_ids(request.user, kinds=["developer"]))
    return any(may(request.user, Action.EDIT_SUBMISSION, one) for one in developers)


def _next_due(submission: Submission) -> Any:
    now = timezone.now()
    moments = [moment for clock in submission.clocks.filter(stopped_at=None) if (moment := due(clock, now=now))]
    return min(moments, default=None)


@login_required
@require_POST
def submission_start(request: HttpRequest) -> HttpResponse:
    version = get_object_or_404(
        ModelVersion.objects.select_related("model__organisation"), pk=request.POST.get("version")
    )
    organisation = version.model.organisation
    by = require(request.user, Action.EDIT_SUBMISSION, organisation, request_id=getattr(request, "request_id", ""))
    regulator = get_object_or_404(Organisation, pk=request.POST.get("regulator"), kind=Organisation.Kind.REGULATOR)
    deployments = Deployment.objects.filter(version=version) if request.POST.get("deployments") else []
    try:
        submission = start_submission(
            organisation=organisation, regulator=regulator, version=version, deployments=deployments,
            profile=request.POST.get("profile", ""), title=request.POST.get("title", ""), by=by,
        )  # fmt: skip
    except InvalidInput as refusal:
        messages.error(request, refusal.message)
        return redirect("assurance:submission_list")
    return redirect("assurance:submission", submission_id=submission.pk)


def _found(request: HttpRequest, submission_id: Any) -> tuple[Submission, str]:
    submission = get_object_or_404(visible_submissions(request.user), pk=submission_id)
    return submission, side_for(submission, request.user)


@login_required
def submission(request: HttpRequest, submission_id: Any) -> HttpResponse:
    found, side = _found(request, submission_id)
    pieces = pieces_of(found)
    evidence, by_id = by_kind(pieces), {piece.id: piece for piece in pieces}
    profile = regulation.profile_from(found.profile_terms)
    changes = found.changes.select_related("person")
    if side != "developer":
        changes = changes.exclude(transition__in=BEFORE)
    state = regulation.machine().states[found.state]
    plan = current_plan(found) if side != "regulator" or found.seen_by_regulator else None
    papers = found.exit_papers.select_related("author", "commented_by")
    if side != "regulator":
        papers = papers.exclude(shared_at=None)
    kinds = regulation.catalogue().kinds
    context = {
        "submission": found, "side": side, "state": state, "profile": profile, "banner": NO_APPROVAL,
        "steps": sorted(allowed_transitions(found, request.user, pieces=pieces), key=lambda step: not step.mine),
        "clocks": _clocks(found), "changes": changes,
        "checklist": [
            {"kind": kind, "title": title, "pieces": evidence.get(kind, []),
             "done": any(piece.serves for piece in evidence.get(kind, [])),
             "reasoned": any(p.standing in ("not_available", "not_applicable") for p in evidence.get(kind, []))}
            for kind, title in regulation.blocking_kinds().items()
        ],
        "warnings": [kinds[kind] for kind in regulation.warning_kinds()
                     if not any(p.serves for p in evidence.get(kind, []))],
        "items": [{"item": item, "piece": by_id[f"item-{item.pk}"]} for item in evidence_seen_by(found, side)],
        "kinds": [kind for kind in kinds.values() if state.accepts is None or kind.id in state.accepts],
        "plan": plan, "plan_text": _plan_text(plan), "plan_parts": _plan_parts(plan),
        "planned_end": planned_end(found), "plan_changes": found.plan_changes.select_related("author"),
        "requests": found.requests.select_related("author").prefetch_related("answers__author", "evidence"),
        "decisions": found.decisions.prefetch_related("conditions").select_related("author")
        if side == "regulator" else found.decisions.exclude(decided_at=None).prefetch_related("conditions"),
        "decision_steps": [step for step in regulation.machine().from_state(found.state)
                           if "sandbox.decision" in step.requires],
        "assessments": found.assessments.select_related("author") if side == "regulator" else [],
        "remarks": found.remarks.select_related("author") if side == "regulator" else [],
        "proposals": found.suspension_proposals.select_related("raised_by", "settled_by"),
        "tests": [{"test": test, "steps": steps_open_to(test, request.user)}
                  for test in found.real_world_tests.select_related("deployment", "author").prefetch_related("steps")],
        "test_parts": TEST_PARTS.items(), "may_plan_test": side == "developer" and found.state in TESTS_PLANNED_IN
        and "real_world" in (plan.content.get("environments", []) if plan else []),
        "deployments": found.deployments.all(), "incidents": found.incidents.select_related("deployment"),
        "running": RunningSoftware.objects.filter(deployment__in=found.deployments.all(), agrees=False),
        "bounds": _bounds(plan), "papers": papers, "publication": Publication.objects.filter(submission=found).first(),
        "appeals": found.appeals.select_related("author", "settled_by"), "signatures": signatures_on(found)
        if side != "regulator" else [s for s in signatures_on(found) if s.signed_at >= found.submitted_at],
        "totals": [row for row in coverage_totals(found, pieces=pieces) if row.framework.id in profile.frameworks],
        "exit_draft": drafted_exit_report(found) if side == "regulator" and found.state == "exit_evaluation" else {},
        "roles": {m.role for m in request.user.memberships.current()},
    }  # fmt: skip
    return render(request, "assurance/submission.html", context)


def _clocks(submission: Submission) -> list[dict[str, Any]]:
    now = timezone.now()
    rows = []
    for clock in submission.clocks.all():
        moment = due(clock, now=now)
        waiting = bool(clock.pauses and clock.pauses[-1][1] is None) and clock.stopped_at is None
        rows.append({
            "clock": clock, "due": moment, "waiting": waiting, "live": clock.terms["status"] == "in_force",
            "days": (moment - now).days if moment and clock.stopped_at is None else None,
        })  # fmt: skip
    return rows


def _bounds(plan: Any) -> list[Any]:
    """How the instance reads the plan's thresholds; a plan from before they were checked has none."""
    try:
        return read_bounds(plan.content.get("thresholds") or {}) if plan else []
    except InvalidInput:
        return []


def _plan_parts(plan: Any) -> list[tuple[str, Any]]:
    """In the order in which a plan is read; the database keeps none."""
    return [(part, plan.content[part]) for part in PARTS if part in plan.content] if plan else []


def _plan_text(plan: Any) -> str:
    if plan is None:
        return PLAN_TEMPLATE
    return str(yaml.safe_dump(dict(_plan_parts(plan)), allow_unicode=True, sort_keys=False))


PLAN_TEMPLATE = """question: ''
method: ''
answer_criterion: ''
environments: [virtual]
end_date: ''
safeguards: []
stop_rules: []
thresholds: {}
test_sets: []
incident_procedure: ''
duties: []
report_every_days: 30
personal_data: false
"""


@login_required
@require_POST
def submission_act(request: HttpRequest, submission_id: Any) -> HttpResponse:
    """One act of the workspace, by its name; a refusal is one sentence on the page and changes nothing."""
    found, _ = _found(request, submission_id)
    act = ACTS.get(request.POST.get("act", ""))
    if act is None:
        raise Http404("unknown act")
    try:
        done = act(found, request)
    except (InvalidInput, Unavailable) as refusal:
        messages.error(request, refusal.message)
    except ValidationError as refusal:
        messages.error(request, " ".join(refusal.messages))
    except PermissionDenied as refusal:
        messages.error(request, str(refusal) or "This is not allowed to you.")
    else:
        messages.success(request, done)
    if not visible_submissions(request.user).filter(pk=found.pk).exists():
        return redirect("assurance:submission_list")
    return redirect("assurance:submission", submission_id=found.pk)


@login_required
def evidence_file(request: HttpRequest, submission_id: Any, item_id: int) -> HttpResponse:
    """The bytes of a filed document, for those who see the item; a look from another side is in the trail."""
    found, side = _found(request, submission_id)
    item = get_object_or_404(evidence_seen_by(found, side).exclude(artefact_id=None), pk=item_id)
    parties = {found.organisation_id, *found.deployments.values_list("organisation_id", flat=True)}
    with seeing(parties):
        artefact = get_object_or_404(Artefact, pk=item.artefact_id)
        answer = HttpResponse(read_artefact(artefact), content_type=artefact.media_type)
    if side != "developer":
        by = require(request.user, Action.SEE, found, request_id=getattr(request, "request_id", ""))
        record_event(action="evidence.open", subject=found, by=by, new={"item": item.pk, "sha256": artefact.sha256})
    answer["Content-Disposition"] = f'attachment; filename="{artefact.sha256[:12]}"'
    answer["X-Content-Type-Options"] = "nosniff"
    return answer
