"""One file before a sandbox, in the browser: drafted, questioned, admitted, run, exited, with every signature."""

import json
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.utils import timezone

from assurance import regulation
from assurance.cards.answers import checked_answers
from assurance.models import ExitPaper, Submission
from assurance.services.findings import store_finding
from records.models import Signature
from records.services import seal_events
from records.verify import verify_trail
from tests.browser.walking import totp_code
from tests.sandbox import PASSWORD, answers_for, fill, finding, make_cast


class SandboxWalk:
    """The people of one cast at one browser."""

    def __init__(self, walker, cast):
        self.walker, self.cast, self.at = walker, cast, ""

    def as_(self, name):
        if self.at != name:
            self.walker.leave()
            self.walker.enter(self.cast.people[name])
            self.at = name
        self.walker.open(f"/submissions/{self.cast.submission.pk}")
        return self.walker

    def take(self, step, name, state):
        """The step's own form, signed where it asks for it; the file then stands in ``state``."""
        walker = self.as_(name)
        cache.clear()  # a code works once in half a minute, and one person signs faster here
        walker.fill_signature(step, PASSWORD, totp_code(self.cast.secrets[self.cast.people[name].pk]))
        walker.press_id(f"take-{step}")
        assert Submission.objects.values_list("state", flat=True).get(pk=self.cast.submission.pk) == state, walker.text

    def sign(self, button, name, **fields):
        """Any other signed form: fields by name, then password and code beside the button."""
        walker = self.as_(name)
        cache.clear()
        form = walker.find(f"#{button}").find_element("xpath", "ancestor::form")
        for key, value in fields.items():
            form.find_element("css selector", f"[name='{key}']").send_keys(value)
        form.find_element("css selector", "[name=password]").send_keys(PASSWORD)
        form.find_element("css selector", "[name=code]").send_keys(
            totp_code(self.cast.secrets[self.cast.people[name].pk])
        )
        walker.press_id(button)


@pytest.fixture
def walk(walker, transactional_db, tmp_path, settings):
    settings.KEY_DIR = tmp_path / "keys"
    return SandboxWalk(walker, make_cast())


def test_a_developer_an_assessor_and_a_decider_bring_a_file_from_draft_to_exit(walk):
    cast = walk.cast
    draft_the_card(walk)
    fill(cast)
    walk.take("t02", "author", "internal_review")
    walk.take("t04", "approver", "ready")
    for fact in ("terms", "confidentiality"):
        walk.as_("approver").press_id(f"declare-{fact}")
    walk.take("t06", "approver", "submitted")
    walk.take("t07", "intake", "completeness_check")
    walk.take("t09", "intake", "under_assessment")

    walk.as_("assessor").fill("question", "How were films chosen?").press_id("ask").see("is noted")
    walk.take("t11", "assessor", "information_requested")
    page = walk.as_("author").see("How were films chosen?")
    page.find("#answer-1").send_keys("Consecutively, none left out.")
    page.press_id("send-answer-1").see("Consecutively")
    walk.take("t13", "approver", "under_assessment")

    reasons = {f"why-{place}": "shown" for place in range(5)}
    walk.sign("sign-assessment", "assessor", recommendation="Admit.", **reasons)
    decide(walk, "t14", "All criteria are met.", conditions="Report each month")
    walk.take("t14", "decider", "admitted")

    walk.take("t16", "author", "plan_negotiation")
    freeze = walk.as_("author")
    freeze.driver.execute_script("window.confirm = () => true")
    freeze.press_id("freeze-plan").see("frozen")
    for name in ("approver", "signatory"):
        walk.sign("sign-plan", name)
    walk.take("t17", "decider", "active")
    walk.walker.see("Clocks", "Signatures").check_page()
    walk.walker.shot("sandbox-active")

    deployment = cast.submission.deployments.get()
    record = store_finding(finding("psi", 0.03, seed=9), family="input", deployment=deployment)
    cast.submission.refresh_from_db()
    cast.add("monitoring.results", "qa", finding=record)
    for kind in ("incident.log", "capa.log"):
        cast.add(kind, "qa", text="None in the period; exposure 400 cases.")
    walk.take("t23", "approver", "final_report_due")
    walk.as_("author").fill("results", "Sensitivity held.").press_id("keep-final-report").see("Sensitivity held.")
    walk.take("t24", "approver", "exit_evaluation")

    walk.as_("assessor").find("#ep-conclusion").send_keys("The objectives are met.")
    walk.walker.press_id("keep-exit-paper").see("The objectives are met.")
    walk.walker.press("Share with the participant")
    walk.as_("approver").find("input.comment").send_keys("No comment.")
    walk.walker.press("Comment").see("No comment.")
    walk.sign("sign-assessment", "assessor", recommendation="Close.", **{"why-0": "shown"})
    decide(walk, "t25", "Evaluated.")
    walk.take("t25", "decider", "exited")
    walk.walker.check_page()
    walk.walker.shot("sandbox-exited")

    meanings = list(Signature.objects.order_by("pk").values_list("printed_name", "meaning"))
    assert meanings == [
        ("Author", "authorship"), ("Approver", "review and approval"), ("Approver", "responsibility"),
        ("Intake", "review"), ("Approver", "responsibility"), ("Assessor", "review"), ("Decider", "decision"),
        ("Approver", "responsibility"), ("Signatory", "responsibility"), ("Decider", "approval"),
        ("Approver", "responsibility"), ("Assessor", "review"), ("Decider", "approval"),
    ]  # fmt: skip
    assert ExitPaper.objects.get(kind="exit_report").commented_at > timezone.now() - timedelta(minutes=10)
    seal_events()
    assert verify_trail().broken == ""


def draft_the_card(walk):
    """The first section by hand, the rest of the card through the import door, then a revision."""
    cast, walker = walk.cast, walk.walker
    schema = regulation.card_schema()
    body = {"format": "vigil-model-card", "schema_version": schema.version,
            "answers": checked_answers(answers_for(), schema)}  # fmt: skip
    path = walker.screens / "card-to-bring-in.json"
    path.write_text(json.dumps(body))
    walk.as_("author")
    walker.open(f"/cards/{cast.version.pk}/edit").fill("file", str(path.resolve())).press("Bring in")
    walker.see("fields read from a json card", "Everything found its place")
    walker.follow("Go on writing")
    walker.find("#keep input[name=reason]").send_keys("The first whole card")
    walker.press("Keep revision 1").see("Revision 1 is kept")


def decide(walk, step, reasons, *, conditions=""):
    page = walk.as_("decider")
    form = page.find("#prepare-decision").find_element("xpath", "ancestor::form")
    form.find_element("css selector", f"option[value='{step}']").click()
    form.find_element("css selector", "[name=reasons]").send_keys(reasons)
    if conditions:
        form.find_element("css selector", "[name=conditions]").send_keys(conditions)
    page.press_id("prepare-decision").see("The decision is prepared")
