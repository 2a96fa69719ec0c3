"""A file from the first draft to its end, and what is refused on the way."""

import copy
from datetime import date, timedelta

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import DatabaseError, transaction
from django.utils import timezone

from accounts.models import Role
from assurance import regulation
from assurance.evidence.errors import InvalidInput
from assurance.models import StateChange, Submission
from assurance.services.due_steps import take_due_steps
from assurance.services.endings import (
    agree_publication,
    ask_publication,
    comment_exit_paper,
    lodge_appeal,
    propose_suspension,
    settle_appeal,
    share_exit_paper,
    write_exit_paper,
)  # fmt: skip
from assurance.services.findings import store_finding
from assurance.services.plan_changes import agree_plan_change, propose_plan_change
from assurance.services.plans import freeze_plan, save_plan
from assurance.services.proceedings import ask, meet_condition, prepare_decision, sign_assessment
from assurance.services.submission_clocks import due
from assurance.services.submissions import add_evidence, allowed_transitions, move_submission
from assurance.submissions.clocks import add_months
from records.canonical import content_hash
from records.models import AuditEvent, Signature
from records.services import seal_events
from records.verify import verify_trail
from tests.factories import MembershipFactory
from tests.sandbox import PASSWORD, PLAN, activate, admit, assess, fill, finding, make_cast, submit

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def keys(tmp_path, settings):
    settings.KEY_DIR = tmp_path / "keys"


@pytest.fixture
def cast(db):
    return make_cast()


def test_a_file_goes_from_draft_to_active_with_every_signature(cast):
    submit(cast)
    assess(cast)
    admit(cast)
    activate(cast)
    assert cast.submission.state == "active"
    meanings = list(Signature.objects.order_by("pk").values_list("printed_name", "meaning"))
    assert meanings == [
        ("Author", "authorship"), ("Approver", "review and approval"), ("Approver", "responsibility"),
        ("Intake", "review"), ("Approver", "responsibility"), ("Assessor", "review"), ("Decider", "decision"),
        ("Approver", "responsibility"), ("Signatory", "responsibility"), ("Decider", "approval"),
    ]  # fmt: skip
    steps = list(StateChange.objects.values_list("transition", flat=True))
    assert steps == ["t01", "t02", "t04", "t06", "t07", "t09", "t11", "t13", "t14", "t16", "t17"]
    for change in StateChange.objects.all():
        assert AuditEvent.objects.get(pk=change.audit_event_id).action == f"submission.{change.transition}"
    assert AuditEvent.objects.filter(action__regex=r"^submission\.t\d\d$").count() == len(steps)
    seal_events()
    assert verify_trail().broken == ""


def test_a_running_test_ends_with_papers_publication_and_archive(cast):
    submit(cast)
    assess(cast)
    admit(cast)
    activate(cast)
    finish(cast)
    assert cast.submission.state == "exited"
    take_due_steps()
    cast.submission.refresh_from_db()
    assert cast.submission.state == "exited"  # publication is not decided yet
    found = ask_publication(cast.submission, redacted="The test ended as planned.", by=cast.actor("assessor"))
    agree_publication(found, **cast.signing("approver"))
    found = agree_publication(found, **cast.signing("decider"))
    assert found.status == "published"
    take_due_steps()
    cast.submission.refresh_from_db()
    assert cast.submission.state == "archived"
    assert allowed_transitions(cast.submission, cast.people["decider"]) == []
    assert cast.submission.evidence.get(kind="record_retention").text.startswith("Kept 10 years")


def finish(cast):
    """From active to exited: early end, final report, evaluation by two people, comment, exit."""
    deployment = cast.submission.deployments.get()
    drift = store_finding(finding("psi", 0.03, seed=9), family="input", deployment=deployment)
    cast.add("monitoring.results", "qa", finding=drift)
    for kind in ("incident.log", "capa.log"):
        cast.add(kind, "qa", text="None in the period; exposure 400 cases.")
    cast.move("t23", "approver", "The question is answered earlier than planned.")
    with pytest.raises(InvalidInput, match="final report"):
        cast.move("t24", "approver")
    write_exit_paper(
        cast.submission, kind="final_report", content={"results": "Sensitivity held."}, by=cast.actor("author")
    )
    cast.move("t24", "approver")
    report = write_exit_paper(
        cast.submission, kind="exit_report", content={"conclusion": "Objectives met."}, by=cast.actor("assessor")
    )
    with pytest.raises(InvalidInput, match="not shared"):
        cast.move("t25", "decider")
    share_exit_paper(report, by=cast.actor("assessor"))
    comment_exit_paper(report, comment="No comment.", by=cast.actor("approver"))
    prepare_decision(cast.submission, transition="t25", reasons="Evaluated.", by=cast.actor("decider"))
    with pytest.raises(InvalidInput, match="evaluation of the exit"):
        cast.move("t25", "decider")
    sign_assessment(
        cast.submission, stage="exit", criteria={"objectives": {"judgement": "met", "reason": "shown"}},
        recommendation="Close.", **cast.signing("assessor"),
    )  # fmt: skip
    cast.move("t25", "decider")


def test_a_suspension_stops_activity_records_and_never_incidents(cast):
    submit(cast)
    assess(cast)
    admit(cast)
    activate(cast)
    proposal = propose_suspension(
        cast.submission, trigger="drift_at_action_level", reason="PSI 0.4", by=cast.actor("qa")
    )
    assert cast.submission.state == "active" and proposal.status == "open"  # a threshold never suspends by itself
    prepare_decision(
        cast.submission, transition="t18", reasons="Unmitigated drift.", conditions=["Explain the drift"],
        by=cast.actor("decider"),
    )  # fmt: skip
    cast.move("t18", "decider")
    proposal.refresh_from_db()
    assert cast.submission.state == "suspended" and proposal.status == "followed"
    drift = store_finding(finding("psi", 0.4, seed=9), family="input", deployment=cast.submission.deployments.get())
    with pytest.raises(InvalidInput, match="suspended: it takes"):
        cast.add("monitoring.results", "qa", finding=drift)
    cast.add("incident.log", "qa", text="A late film.")
    cast.add("capa.log", "author", text="Cause found and mended.")
    prepare_decision(cast.submission, transition="t20", reasons="Mended.", by=cast.actor("decider"))
    with pytest.raises(InvalidInput, match="Explain the drift"):
        cast.move("t20", "decider")
    meet_condition(cast.submission.decisions.get(transition="t18").conditions.get(), reason="Explained.",
                   by=cast.actor("assessor"))  # fmt: skip
    assert cast.move("t20", "decider").state == "active"


def test_a_plan_changes_only_when_both_sides_sign(cast):
    submit(cast)
    assess(cast)
    admit(cast)
    activate(cast)
    plan = cast.submission.plans.get()
    change = propose_plan_change(
        cast.submission, content=plan.content | {"safeguards": ["A second reader"]}, reason="Safer.",
        by=cast.actor("author"),
    )  # fmt: skip
    change = agree_plan_change(change, **cast.signing("approver"))
    assert (change.status, cast.submission.plans.count()) == ("proposed", 1)
    with pytest.raises(PermissionDenied):
        agree_plan_change(change, **cast.signing("assessor"))
    change = agree_plan_change(change, **cast.signing("decider"))
    assert (change.status, change.result.revision, change.result.content["safeguards"]) == (
        "agreed", 2, ["A second reader"]
    )  # fmt: skip
    longer = date.fromisoformat(plan.content["end_date"]) + timedelta(days=30)
    with pytest.raises(InvalidInput, match="by an extension"):
        propose_plan_change(
            cast.submission, content=change.content | {"end_date": longer.isoformat()}, reason="More time.",
            by=cast.actor("author"),
        )  # fmt: skip
    extension = propose_plan_change(
        cast.submission, content=change.content | {"end_date": longer.isoformat()}, reason="More time.",
        kind="extension", by=cast.actor("author"),
    )  # fmt: skip
    assert extension.kind == "extension"


def test_a_frozen_plan_cannot_be_changed_even_by_the_owner_of_the_table(cast):
    fill(cast)
    plan = freeze_plan(cast.submission, by=cast.actor("author"))
    with pytest.raises(DatabaseError, match="cannot change"), transaction.atomic():
        type(plan).objects.filter(pk=plan.pk).update(content={"thresholds": {"sensitivity": 0.1}})
    with pytest.raises(InvalidInput, match="thresholds"):
        save_plan(cast.submission, content=PLAN | {"thresholds": {}, "end_date": "2099-01-01"}, by=cast.actor("author"))
        freeze_plan(cast.submission, by=cast.actor("author"))


def test_an_upheld_appeal_leads_back_to_the_assessment(cast):
    submit(cast)
    assess(cast, with_question=False)
    prepare_decision(cast.submission, transition="t15", reasons="No need for a sandbox.", by=cast.actor("decider"))
    cast.move("t15", "decider")
    appeal = lodge_appeal(cast.submission, reasons="The need is new.", by=cast.actor("approver"))
    with pytest.raises(PermissionDenied, match="does not settle the appeal"):
        settle_appeal(appeal, upheld=True, reason="Heard.", by=cast.actor("decider"))
    cast.join("second decider", Role.REGULATOR_DECIDER, cast.submission.regulator)
    settle_appeal(appeal, upheld=True, reason="Heard.", by=cast.actor("second decider"))
    prepare_decision(cast.submission, transition="t29", reasons="Appeal upheld.", by=cast.actor("second decider"))
    assert cast.move("t29", "second decider").state == "under_assessment"


def test_silence_counts_as_withdrawal_only_after_two_warnings(cast):
    submit(cast)
    cast.move("t07", "intake")
    request = ask(cast.submission, question="Where is the risk file?", by=cast.actor("intake"))
    cast.move("t08", "intake")
    asked = timezone.now() - timedelta(days=61)
    type(request).objects.filter(pk=request.pk).update(asked_at=asked, due_at=asked + timedelta(days=30))
    assert take_due_steps() == [f"warned: {request}"]
    cast.submission.refresh_from_db()
    assert cast.submission.state == "information_requested"
    type(request).objects.filter(pk=request.pk).update(warned_at=timezone.now() - timedelta(days=8))
    done = take_due_steps()
    cast.submission.refresh_from_db()
    assert cast.submission.state == "withdrawn" and len(done) == 2


# What is refused


def test_an_unknown_step_a_wrong_state_and_a_missing_guard_are_refused_and_nothing_is_written(cast):
    fill(cast)
    events = AuditEvent.objects.count()
    with pytest.raises(InvalidInput, match="transition 't99' is not known: choose from t01, t02"):
        cast.move("t99", "author")
    with pytest.raises(InvalidInput, match="t06 leads from ready, and S-0001 is draft"):
        cast.move("t06", "approver")
    cast.submission.evidence.filter(kind="risk_management").update(withdrawn_at=timezone.now())
    with pytest.raises(InvalidInput, match=r"t02 cannot be taken yet: .*\(risk_management\) is missing"):
        cast.move("t02", "author")
    assert AuditEvent.objects.count() == events and Signature.objects.count() == 0
    assert Submission.objects.get().state == "draft"


def test_a_wrong_code_leaves_no_trace_in_the_file(cast):
    fill(cast)
    with pytest.raises(ValidationError):
        move_submission(cast.submission, transition="t02", person=cast.people["author"], password="wrong", code="0")
    again = Submission.objects.get()
    assert (again.state, again.snapshot, again.snapshot_sha256) == ("draft", None, "")


def test_an_author_does_not_approve_the_own_snapshot(cast):
    fill(cast)
    membership = MembershipFactory(
        person=cast.people["author"], organisation=cast.submission.organisation, role=Role.DEVELOPER_APPROVER
    )
    cast.move("t02", "author")
    with pytest.raises(PermissionDenied, match="another person has to sign"):
        move_submission(cast.submission, transition="t04", reason="", person=type(membership.person).objects.get(
            pk=membership.person_id), password=PASSWORD, code=cast.code("author"))  # fmt: skip


def test_who_assessed_does_not_decide(cast):
    MembershipFactory(
        person=cast.people["assessor"], organisation=cast.submission.regulator, role=Role.REGULATOR_DECIDER
    )
    submit(cast)
    cast.move("t07", "intake")
    cast.move("t09", "intake")
    criteria = {
        name: {"judgement": "met", "reason": "shown"}
        for name in regulation.profile_from(cast.submission.profile_terms).criteria
    }
    sign_assessment(cast.submission, criteria=criteria, recommendation="Admit.", **cast.signing("assessor"))
    assessor = type(cast.people["assessor"]).objects.get(pk=cast.people["assessor"].pk)
    prepare_decision(cast.submission, transition="t14", reasons="Fine.", no_conditions=True, by=cast.actor("decider"))
    with pytest.raises(InvalidInput, match="signed by the decider alone"):
        move_submission(cast.submission, transition="t14", person=assessor, password=PASSWORD,
                        code=cast.code("assessor"))  # fmt: skip


def test_a_stranger_and_a_person_of_the_wrong_side_are_refused(cast):
    other = make_cast()
    fill(cast)
    for name in ("author", "decider"):
        with pytest.raises(PermissionDenied):
            move_submission(cast.submission, transition="t02", person=other.people[name])
    with pytest.raises(PermissionDenied):
        move_submission(cast.submission, transition="t02", person=cast.people["decider"])
    with pytest.raises(PermissionDenied):
        add_evidence(cast.submission, kind="risk_management", text="x", by=other.actor("author"))
    with pytest.raises(PermissionDenied, match="a hospital gives local results"):
        cast.move("t02", "author")
        cast.move("t04", "approver")
        add_evidence(cast.submission, kind="risk_management", text="x", by=cast.actor("qa"))


def test_words_do_not_prove_a_computed_kind(cast):
    with pytest.raises(InvalidInput, match="words do not prove it"):
        cast.add("performance.overall", text="AUROC 0.99")
    with pytest.raises(InvalidInput, match="give one of finding"):
        cast.add("risk_management")
    with pytest.raises(InvalidInput, match="give the reason"):
        cast.add("calibration", standing="not_available")
    with pytest.raises(InvalidInput, match="is not known"):
        cast.add("no.such.kind", text="x")


def test_one_changed_byte_of_the_snapshot_and_its_signatures_cover_nothing(cast):
    fill(cast)
    cast.move("t02", "author")
    signature = Signature.objects.get()
    assert signature.covers(content_hash(cast.submission.snapshot))
    changed = copy.deepcopy(cast.submission.snapshot)
    changed["card"]["answers"]["identity.name"]["value"] += " "
    assert not signature.covers(content_hash(changed))


def test_a_later_change_of_the_programme_alters_no_running_clock(cast, monkeypatch):
    submit(cast)
    clock = cast.submission.clocks.get(clock="clk-eu-sandbox-decision")
    before = due(clock, now=timezone.now())
    entry = next(e for e in regulation.content("submission_states")["profiles"] if e["id"] == "eu-ai-act-sandbox")
    monkeypatch.setitem(entry["clocks"][0], "most_pause_days", 9999)
    monkeypatch.setitem(entry, "answer_days", 1)
    clock.refresh_from_db()
    assert due(clock, now=timezone.now()) == before and before.date() == add_months(clock.started_at.date(), 3)
    assert regulation.profile_from(Submission.objects.get().profile_terms).answer_days == 30
