"""Suspensions are proposed by what happens, once, and only people decide."""

from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import Role
from accounts.tokens import issue_token
from assurance.evidence.errors import InvalidInput
from assurance.evidence.finding import State, Window
from assurance.models import RunningSoftware, StateChange, SuspensionProposal
from assurance.selectors.evidence import filed
from assurance.services.due_steps import take_due_steps
from assurance.services.endings import propose_suspension, set_aside
from assurance.services.findings import store_finding
from assurance.services.plans import checked_plan
from assurance.services.proceedings import prepare_decision
from assurance.services.running_software import note_running_software
from assurance.services.suspension_triggers import raise_due_proposals
from monitoring.services.intake import accept_batch
from records.actor import SYSTEM
from records.models import AuditEvent
from tests.factories import MembershipFactory, sha256
from tests.sandbox import PLAN, finding, running_cast
from vigilance.services import close_incident, open_incident, report_sent, waive_clock

pytestmark = pytest.mark.django_db
OTHER = sha256("other weights")


@pytest.fixture(autouse=True)
def keys(tmp_path, settings):
    settings.KEY_DIR = tmp_path / "keys"


def seen(cast, value, *, days=1, quantity="sensitivity", state=State.OK, seed=11, stratum=None):
    """A Finding whose window ends ``days`` after now."""
    end = timezone.now().replace(microsecond=0) + timedelta(days=days)
    one = finding(quantity, value, seed=seed, state=state, stratum=stratum).placed(
        window=Window(end - timedelta(days=30), end)
    )
    return store_finding(one, family="performance", deployment=cast.submission.deployments.get())


def test_a_threshold_of_the_frozen_plan_that_a_finding_crosses_proposes_once_and_suspends_nothing():
    cast = running_cast()
    assert raise_due_proposals() == []
    seen(cast, 0.95)
    seen(cast, 0.5, days=-1, seed=12)  # a window from before the test began is no evidence of it
    seen(cast, 0.4, days=1, seed=13, stratum={"sex": "F"})  # the threshold speaks of the whole
    assert raise_due_proposals() == []
    low = seen(cast, 0.84, days=2, seed=14)
    (proposal,) = raise_due_proposals()
    assert (proposal.trigger, proposal.subject, proposal.status) == ("plan_limit", "sensitivity", "open")
    assert proposal.raised_by is None and proposal.evidence_sha256 == low.digest
    assert "sensitivity at least 0.9" in proposal.reason and "is 0.84 (95 % 0.82 to 0.86)" in proposal.reason
    assert raise_due_proposals() == [] and take_due_steps() == []
    assert AuditEvent.objects.filter(action="submission.propose_suspension").count() == 1
    cast.submission.refresh_from_db()
    assert cast.submission.state == "active"

    seen(cast, 0.80, days=9, seed=15)  # while the first is open a later window says nothing new
    assert raise_due_proposals() == []
    set_aside(proposal, reason="A labelling fault, mended.", by=cast.actor("decider"))
    (again,) = raise_due_proposals()  # the later window had not been judged
    set_aside(again, reason="The same fault.", by=cast.actor("decider"))
    assert raise_due_proposals() == []  # what was set aside is not raised again for the same evidence
    with pytest.raises(IntegrityError), transaction.atomic():  # the database holds it too
        SuspensionProposal.objects.create(
            submission=cast.submission, trigger="plan_limit", subject="sensitivity", reason="x",
            evidence_sha256=again.evidence_sha256,
        )  # fmt: skip


def test_too_few_cases_or_a_superseded_value_cross_no_threshold():
    cast = running_cast()
    seen(cast, 0.1, state=State.INSUFFICIENT)
    assert raise_due_proposals() == []
    seen(cast, 0.99, seed=21)  # the same place: it takes the place of the first
    assert raise_due_proposals() == []


def test_an_overdue_report_and_an_overdue_condition_propose_once_each():
    cast = running_cast(report_every_days=30)
    assert raise_due_proposals() == []
    late = timezone.now() + timedelta(days=31)
    (first,) = raise_due_proposals(now=late)
    assert first.trigger == "report_overdue" and "every 30 days" in first.reason
    assert raise_due_proposals(now=late + timedelta(days=1)) == []
    set_aside(first, reason="It came by post.", by=cast.actor("decider"))
    cast.add("periodic_report", finding=seen(cast, 0.95))
    assert raise_due_proposals(now=timezone.now() + timedelta(days=29)) == []  # counted from the report now
    (second,) = raise_due_proposals(now=late)  # the next one is late too, and is another report
    assert second.evidence_sha256 != first.evidence_sha256
    prepare_decision(
        cast.submission, transition="t18", reasons="To look closer.",
        conditions=[f"{timezone.now().date().isoformat()} Send the logs"], by=cast.actor("decider"),
    )  # fmt: skip
    cast.move("t18", "decider")
    condition = cast.submission.decisions.get(transition="t18").conditions.get()
    assert (condition.text, condition.due) == ("Send the logs", timezone.now().date())
    assert raise_due_proposals(now=late) == []  # a suspended test is not proposed for suspension


def test_plans_with_thresholds_that_bound_nothing_are_refused():
    with pytest.raises(InvalidInput, match=r"thresholds.sensitivity is 'high'"):
        checked_plan(PLAN | {"thresholds": {"sensitivity": "high"}})
    with pytest.raises(InvalidInput, match="report_every_days of the plan is 0"):
        checked_plan(PLAN | {"report_every_days": 0})


def test_software_that_is_not_the_registered_version_proposes_once_for_each_running_test():
    cast = running_cast()
    place = cast.submission.deployments.get()
    weights = cast.version.weights_sha256
    same = note_running_software(place, weights_sha256=weights, version=str(cast.version), by=SYSTEM)
    assert same.agrees and not SuspensionProposal.objects.exists()
    for _ in range(3):
        told = note_running_software(place, weights_sha256=OTHER.upper(), by=SYSTEM)
    assert (told.agrees, told.times) == (False, 3)
    assert told.differences == [["weights_sha256", OTHER, weights]]
    proposal = SuspensionProposal.objects.get()
    assert (proposal.trigger, proposal.subject) == ("other_model_hash", place.slug) and OTHER[:12] in proposal.reason
    assert AuditEvent.objects.filter(action="deployment.software").count() == 2
    refused = {
        "nothing_said": {}, "not_sha256": {"weights_sha256": "abc"}, "not_a_digest": {"container_digest": "latest"},
        "too_long": {"version": "x" * 81},
    }  # fmt: skip
    for code, wrong in refused.items():
        with pytest.raises(InvalidInput) as refusal:
            note_running_software(place, by=SYSTEM, **wrong)
        assert refusal.value.code == code


def test_the_software_door_takes_the_hospitals_own_token_and_nobody_elses(client):
    cast = running_cast()
    place = cast.submission.deployments.get()
    path = f"/api/v1/deployments/{place.pk}/software"

    def send(organisation, person, verbs):
        secret = issue_token(organisation=organisation, person=person, name="viewer", verbs=verbs)[1]
        body = {"weights_sha256": OTHER}
        return client.post(path, body, content_type="application/json", headers={"Authorization": f"Bearer {secret}"})

    qa = cast.people["qa"]
    colleague = MembershipFactory(organisation=place.organisation, role=Role.HOSPITAL_QA).person
    answer = send(place.organisation, qa, ["send_predictions"])
    assert (answer.status_code, answer.json()["agrees"]) == (200, False)
    assert send(place.organisation, colleague, ["send_predictions"]).json()["times"] == 2
    assert send(place.organisation, qa, ["see"]).status_code == 403
    stranger = MembershipFactory(role=Role.HOSPITAL_QA)
    assert send(stranger.organisation, stranger.person, ["send_predictions"]).status_code == 404
    assert RunningSoftware.objects.get().times == 2 and SuspensionProposal.objects.count() == 1


def test_delivered_rows_that_name_another_version_propose_too():
    cast = running_cast()
    place = cast.submission.deployments.get()
    rows = "case_id,study_time,score,model_version\n" + "".join(
        f"c{number},2026-01-01T10:00:00Z,0.5,9.9-rogue\n" for number in range(3)
    )
    batch = accept_batch(place, content=rows.encode(), media_type="text/csv")
    assert (batch.accepted, batch.rejected) == (0, 3)
    assert RunningSoftware.objects.get().door == "predictions"
    assert "9.9-rogue" in SuspensionProposal.objects.get(trigger="other_model_hash").reason


def test_an_incident_comes_on_the_file_follows_its_reports_and_a_death_proposes():
    cast = running_cast()
    place, qa = cast.submission.deployments.get(), cast.actor("qa")
    aware = timezone.now() - timedelta(hours=1)
    terms = {"title": "Missed finding", "description": "Found at the second reading.", "aware_at": aware, "by": qa}
    incident = open_incident(deployment=place, event_kind="serious_incident_other", **terms)
    on_file = cast.submission.incidents.get()
    assert (on_file.incident_number, on_file.status) == (incident.number, "reportable")
    assert not SuspensionProposal.objects.exists()
    clocks = list(incident.clocks.all())
    assert clocks
    for clock in clocks[1:]:
        waive_clock(clock, reason="Another authority leads.", by=SYSTEM)
    on_file.refresh_from_db()
    assert on_file.status == "reportable"
    report_sent(clocks[0], at=timezone.now(), reference="R-1", by=SYSTEM, late_reason="x")
    on_file.refresh_from_db()
    assert on_file.status == "reported_final"
    close_incident(incident, reason="Cause found.", by=qa)
    on_file.refresh_from_db()
    assert on_file.status == "closed"
    for _ in range(2):
        grave = open_incident(deployment=place, event_kind="death", **terms)
    assert SuspensionProposal.objects.filter(trigger="incident").count() == 2
    assert f"Incident {grave.number}" in SuspensionProposal.objects.order_by("-pk").first().reason
    cast.submission.refresh_from_db()
    assert cast.submission.state == "active" and StateChange.objects.filter(transition="t18").count() == 0


def test_results_filed_while_a_suspension_is_proposed_count_once_a_person_has_settled_it():
    cast = running_cast()
    before = cast.add("monitoring.results", finding=seen(cast, 0.95, seed=31))
    proposal = propose_suspension(cast.submission, trigger="person", reason="Odd maps.", by=cast.actor("qa"))
    during = cast.add("drift.input", finding=seen(cast, 0.96, days=3, seed=32))
    note = cast.add("incident.log", "qa", text="A late film.")

    def standing():
        found = {piece.id: piece.standing for piece in filed(cast.submission)}
        return [found[f"item-{item.pk}"] for item in (before, during, note)]

    assert standing() == ["current", "insufficient", "current"]  # what happened to patients always counts
    set_aside(proposal, reason="A display fault.", by=cast.actor("decider"))
    assert standing() == ["current", "current", "current"]
