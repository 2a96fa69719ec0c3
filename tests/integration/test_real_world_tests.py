"""Tests in the real world as children of a submission, and every child object through the HTTP interface too."""

import base64
import json
from datetime import date, timedelta

import pytest
import yaml
from django.core.exceptions import PermissionDenied
from django.db import DatabaseError, transaction
from django.urls import reverse
from django.utils import timezone

from accounts.models import Role
from accounts.tokens import issue_token
from assurance import regulation
from assurance.acts import ACTS
from assurance.evidence.errors import InvalidInput
from assurance.models import RealWorldTest, RealWorldTestStep
from assurance.services.due_steps import take_due_steps
from assurance.services.proceedings import prepare_decision
from assurance.services.real_world_tests import extend_test, move_test, plan_test
from assurance.submissions.clocks import add_months
from records.models import AuditEvent, Signature
from tests.sandbox import PASSWORD, PLAN, assess, fill, make_cast, running_cast, submit

pytestmark = pytest.mark.django_db
WORDS = {"consent": "A form, signed.", "oversight": "A radiologist.", "reversal": "The reader decides alone."}


@pytest.fixture(autouse=True)
def keys(tmp_path, settings):
    settings.KEY_DIR = tmp_path / "keys"


def today():
    return timezone.now().date()


def planned(cast, **changes):
    terms = {
        "deployment": cast.submission.deployments.get(), "title": "Night shift", "content": WORDS,
        "starts_on": today(), "ends_on": add_months(today(), 6), "by": cast.actor("author"),
    }  # fmt: skip
    return plan_test(cast.submission, **(terms | changes))


def step(cast, test, key, name, **options):
    return move_test(test, step=key, reason="as planned", **cast.signing(name), **options)


def test_a_test_is_approved_registered_run_suspended_extended_once_and_its_outcome_notified():
    cast = running_cast(environments=["virtual", "real_world"])
    test = planned(cast)
    assert planned(cast, title="Second").number == 2
    with pytest.raises(InvalidInput, match="r3 leads from registered"):
        step(cast, test, "r3", "approver")
    with pytest.raises(PermissionDenied, match="is for Decision maker"):
        step(cast, test, "r1", "approver")
    test = step(cast, test, "r1", "decider")
    with pytest.raises(InvalidInput, match="number under which the test is registered"):
        step(cast, test, "r2", "approver")
    test = step(cast, test, "r2", "approver", registration="EU-RWT-0001")
    test = step(cast, test, "r3", "approver")
    assert (test.status, test.registration) == ("running", "EU-RWT-0001")
    test = step(cast, test, "r4", "qa")
    test = step(cast, test, "r5", "decider")
    longer = add_months(today(), 12)
    with pytest.raises(InvalidInput, match=f"ends by {longer}"):
        extend_test(test, ends_on=longer + timedelta(days=1), reason="More nights.", by=cast.actor("approver"))
    test = extend_test(test, ends_on=longer, reason="More nights.", by=cast.actor("approver"))
    with pytest.raises(InvalidInput, match="extended once already"):
        extend_test(test, ends_on=longer, reason="Again.", by=cast.actor("approver"))
    test = step(cast, test, "r6", "approver")
    test = step(cast, test, "r7", "approver")
    path = list(RealWorldTestStep.objects.filter(test=test).values_list("target", flat=True))
    assert path == ["approved", "registered", "running", "suspended", "running", "ended", "outcome_notified"]
    assert Signature.objects.count() == 4  # approval, start, let go on, outcome
    for target in path:
        assert AuditEvent.objects.filter(action=f"test.{target}").exists()
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        RealWorldTestStep.objects.first().delete()


def test_a_suspended_submission_suspends_its_tests_and_the_last_day_ends_them():
    cast = running_cast(environments=["real_world"])
    first, second = planned(cast), planned(cast)
    RealWorldTest.objects.update(status="running")
    RealWorldTest.objects.filter(pk=second.pk).update(ends_on=today())
    assert f"ended: {second}" in take_due_steps()
    prepare_decision(
        cast.submission, transition="t18", reasons="To look.", no_conditions=True, by=cast.actor("decider")
    )
    cast.move("t18", "decider")
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.status, second.status) == ("suspended", "ended")
    with pytest.raises(InvalidInput, match="a test runs while it is active"):
        step(cast, first, "r5", "decider")
    assert not take_due_steps()


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"content": WORDS | {"consent": " "}}, "part_missing"), ({"title": ""}, "no_title"),
        ({"ends_on": date(2020, 1, 1)}, "wrong_dates"), ({"ends_on": date(2099, 1, 1)}, "too_long"),
    ],
)  # fmt: skip
def test_a_test_that_says_too_little_is_refused(changes, code):
    cast = running_cast(environments=["real_world"])
    with pytest.raises(InvalidInput) as refusal:
        planned(cast, **changes)
    assert refusal.value.code == code and not RealWorldTest.objects.exists()


def test_no_test_without_the_plan_and_none_by_another_side():
    cast = running_cast()
    with pytest.raises(InvalidInput, match="has no real_world environment"):
        planned(cast)
    for name in ("decider", "qa"):
        with pytest.raises(PermissionDenied):
            planned(cast, by=cast.actor(name))


def test_every_step_of_a_test_names_a_requirement_that_exists():
    for one in regulation.steps_of_test().values():
        assert regulation.catalogue().requirement(one.ref).id == one.ref
        assert {*one.by} <= {str(role) for role in Role.values}


# Both doors


class Doors:
    """Acts of one person by the page or by the interface."""

    def __init__(self, client, cast):
        self.client, self.cast = client, cast

    def page(self, name, act, **fields):
        self.client.force_login(self.cast.people[name])
        address = reverse("assurance:submission_act", args=[self.cast.submission.pk])
        answer = self.client.post(address, {"act": act, **fields}, follow=True)
        self.cast.submission.refresh_from_db()
        return answer.content.decode()

    def api(self, name, act, **fields):
        self.client.force_login(self.cast.people[name])
        self.client.handler.enforce_csrf_checks = False
        answer = self.client.post(
            f"/api/v1/submissions/{self.cast.submission.pk}/acts/{act}", data=json.dumps(fields),
            content_type="application/json",
        )  # fmt: skip
        self.cast.submission.refresh_from_db()
        return answer

    def signed(self, name):
        return {"password": PASSWORD, "code": self.cast.code(name)}


@pytest.fixture
def doors(client):
    def make(cast):
        return Doors(client, cast)

    return make


def test_a_test_runs_by_page_and_interface(doors):
    cast = running_cast(environments=["real_world"])
    both = doors(cast)
    fields = WORDS | {"title": "Night shift", "deployment": cast.submission.deployments.get().slug,
                      "starts_on": today().isoformat(), "ends_on": add_months(today(), 3).isoformat()}  # fmt: skip
    assert both.api("author", "plan_test", **fields | {"ends_on": "soon"}).json()["code"] == "not_a_date"
    assert "Test 1 is planned" in both.page("author", "plan_test", **fields)
    answer = both.api("decider", "move_test", test="1", step="r1", reason="Fit.", **both.signed("decider"))
    assert (answer.status_code, answer.json()["done"]) == (200, "Test 1: approved.")
    assert "Test 1: registered." in both.page("approver", "move_test", test="1", step="r2", registration="EU-1")
    page = both.page("approver", "move_test", test="1", step="r3", **both.signed("approver"))
    assert "Test 1: running." in page and "A radiologist." in page and "EU-1" in page
    assert both.api("qa", "move_test", test="1", step="r4", reason="A fall.").json()["done"] == "Test 1: suspended."
    assert both.api("qa", "move_test", test="1", step="r5", reason="x").status_code == 403
    longer = add_months(today(), 8).isoformat()
    assert longer in both.api("approver", "extend_test", test="1", ends_on=longer, reason="More.").json()["done"]


def test_amendment_extension_and_refusals_by_page_and_interface(doors):
    cast = running_cast()
    both = doors(cast)
    plan = cast.submission.plans.get().content
    text = yaml.safe_dump(plan | {"safeguards": ["A second reader"]})
    assert "Amendment is proposed" in both.page("author", "propose_change", plan=text, reason="Safer.")
    first = cast.submission.plan_changes.get()
    assert both.api("decider", "reject_change", change=str(first.pk), status="rejected", reason="Not now.").json()[
        "done"
    ] == "Settled."  # fmt: skip
    first.refresh_from_db()
    assert first.status == "rejected"
    end = date.fromisoformat(plan["end_date"])
    later = yaml.safe_dump(plan | {"end_date": (end + timedelta(days=60)).isoformat()})
    refused = both.api("author", "propose_change", plan=later, reason="More time.")
    assert (refused.status_code, refused.json()["code"]) == (422, "is_extension")
    assert both.api("author", "propose_change", plan=later, kind="extension", reason="More time.").status_code == 200
    change = cast.submission.plan_changes.get(kind="extension")
    assert "Extension: proposed." in both.page("approver", "agree_change", change=change.pk, **both.signed("approver"))
    done = both.api("decider", "agree_change", change=str(change.pk), **both.signed("decider")).json()["done"]
    assert done == "Extension: agreed."
    assert cast.submission.plans.order_by("-revision").first().content["end_date"] > plan["end_date"]
    near = plan | {"end_date": (today() + timedelta(days=29)).isoformat()}
    cast.submission.plans.create(revision=9, content=near, sha256="a" * 64, frozen_at=timezone.now())
    late = yaml.safe_dump(near | {"end_date": (today() + timedelta(days=90)).isoformat()})
    refused = both.api("author", "propose_change", plan=late, kind="extension", reason="More.")
    assert refused.json()["code"] == "too_late" and "30 days before the end" in refused.json()["message"]


def test_a_suspension_a_termination_and_the_exit_papers_by_both_doors(doors):
    cast = running_cast()
    both = doors(cast)
    assert both.api("qa", "propose_suspension", trigger="weather", reason="x").json()["code"] == "unknown_trigger"
    assert "The proposal is raised" in both.page("qa", "propose_suspension", trigger="person", reason="Odd maps.")
    proposal = cast.submission.suspension_proposals.get()
    assert both.api("author", "set_aside", proposal=str(proposal.pk), reason="x").status_code == 403
    assert both.api("decider", "set_aside", proposal=str(proposal.pk), reason="A display fault.").status_code == 200
    decided = {"transition": "t21", "reasons": "The question is answered.", "no_conditions": "1"}
    assert both.api("decider", "decide", **decided).status_code == 200
    ended = both.api("decider", "move", transition="t21", reason="Answered.", **both.signed("decider")).json()
    assert ended["submission"]["state"] == "terminated"
    assert both.api("author", "write_paper", kind="final_report", results="Held.", lessons="Few.").status_code == 200
    assert "is now: Exit evaluation" in both.page("assessor", "move", transition="t26", reason="To evaluate.")
    assert "empty" in both.api("assessor", "write_paper", kind="exit_report").json()["message"]
    for kind in ("exit_report", "written_proof"):
        assert both.api("assessor", "write_paper", kind=kind, activities="Ran.", conclusion="Held.").status_code == 200
    for paper in cast.submission.exit_papers.exclude(kind="final_report"):
        assert "not an approval" in paper.content["statement"]
        assert both.api("author", "comment_paper", paper=str(paper.pk), comment="x").json()["code"] == "not_shared"
        assert both.api("assessor", "share_paper", paper=str(paper.pk)).status_code == 200
        assert "The comment is kept" in both.page("approver", "comment_paper", paper=paper.pk, comment="None.")
    criteria = {"judgement-0": "met", "why-0": "Shown.", "recommendation": "Close."}
    assert both.api("assessor", "assess", stage="exit", **criteria, **both.signed("assessor")).status_code == 200
    both.api("decider", "decide", transition="t25", reasons="Complete.", no_conditions="1")
    page = both.page("decider", "move", transition="t25", **both.signed("decider"))
    assert "is now: Exited" in page and "Written proof" in page


def test_an_appeal_is_lodged_and_dismissed_by_both_doors(doors):
    cast = make_cast()
    submit(cast)
    assess(cast, with_question=False)
    both = doors(cast)
    both.api("decider", "decide", transition="t15", reasons="No need.", no_conditions="1")
    both.api("decider", "move", transition="t15", reason="No need.", **both.signed("decider"))
    assert cast.submission.state == "refused"
    assert both.api("author", "lodge_appeal", reason="x").status_code == 403
    assert "The appeal is lodged" in both.page("approver", "lodge_appeal", reason="The need is new.")
    assert both.api("approver", "lodge_appeal", reason="Again.").json()["code"] == "done"
    appeal = str(cast.submission.appeals.get().pk)
    assert both.api("decider", "settle_appeal", appeal=appeal, upheld="0", reason="Own case.").status_code == 403
    cast.join("second decider", Role.REGULATOR_DECIDER, cast.submission.regulator)
    answer = both.api("second decider", "settle_appeal", appeal=appeal, upheld="0", reason="Heard.")
    assert answer.json()["done"] == "The appeal is dismissed."


def test_the_door_of_acts_keeps_strangers_and_narrow_tokens_out(client, doors):
    cast, other = running_cast(), make_cast()
    both = doors(cast)
    unknown = both.api("author", "no_such_act").json()["message"]
    assert unknown.startswith("act 'no_such_act' is not known: choose from add_evidence")
    for number in ("", "x", "9" * 30, "-1", "²"):
        assert both.api("approver", "move_test", test=number, step="r1").status_code == 404
        assert both.api("decider", "set_aside", proposal=number, reason="x").status_code == 404
    assert both.api("author", "ask", question="a\x00b").json()["code"] == "not_text"
    for plan in ("a: &x [1]\nb: *x", "question: .nan", "end_date: 2026-13-40", "[" * 5000, "- x", "!!binary aGk="):
        assert both.api("author", "propose_change", plan=plan, reason="x").status_code == 422
    assert set(ACTS) >= {"plan_test", "lodge_appeal", "write_paper"}
    client.force_login(other.people["author"])
    path = f"/api/v1/submissions/{cast.submission.pk}/acts/remark"
    assert client.post(path, data="{}", content_type="application/json").status_code == 404

    def by_token(verbs, act="add_evidence", **fields):
        secret = issue_token(organisation=cast.submission.organisation, person=cast.people["approver"], name="ci",
                             verbs=verbs)[1]  # fmt: skip
        client.logout()
        return client.post(
            f"/api/v1/submissions/{cast.submission.pk}/acts/{act}", data=json.dumps(fields),
            content_type="application/json", headers={"Authorization": f"Bearer {secret}"},
        )  # fmt: skip

    report = {"kind": "risk_management", "file_base64": base64.b64encode(b"risk file").decode(), "title": "Risk file"}
    assert by_token(["see"], **report).status_code == 403
    assert by_token(["edit_submission"], **report | {"file_base64": "%%%"}).json()["code"] == "not_readable"
    assert by_token(["edit_submission"], **report).json()["done"] == "Risk file is on file."
    item = cast.submission.evidence.get(kind="risk_management")
    assert item.artefact.size == 9 and item.author == cast.people["approver"]


def test_a_draft_keeps_the_words_of_its_plan_in_all_three_environments():
    cast = make_cast(real_world=True)
    fill(cast)
    plan = cast.submission.plans.first()
    assert set(PLAN["environments"]) < {"simulation", "virtual", "real_world"}
    from assurance.services.plans import save_plan

    every = plan.content | {"environments": ["simulation", "virtual", "real_world"]}
    assert save_plan(cast.submission, content=every, by=cast.actor("author")).content["environments"] == [
        "simulation", "virtual", "real_world",
    ]  # fmt: skip
    with pytest.raises(InvalidInput, match="environment 'moon': choose from simulation, virtual, real_world"):
        save_plan(cast.submission, content=every | {"environments": ["moon"]}, by=cast.actor("author"))
