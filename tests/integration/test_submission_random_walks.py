"""Random walks over the machine with real people, signatures and rows: what holds after every step or refusal."""

import random

import pytest
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from assurance import regulation
from assurance.evidence.errors import InvalidInput
from assurance.models import Submission
from assurance.selectors.submissions import visible_submissions
from assurance.services import endings, plans, proceedings
from assurance.services.submission_clocks import due, pauses_of, terms_of
from assurance.services.submissions import declare, move_submission
from assurance.submissions.clocks import due_at
from records import keys
from records.models import AuditEvent, Signature
from records.services import seal_events
from records.verify import verify_trail
from tests.sandbox import fill, make_cast

REFUSALS = (InvalidInput, PermissionDenied, ValidationError)
STEPS = sorted(regulation.machine().transitions)
AWAY = {"t03", "t05", "t10", "t15", "t27", "t28"}  # back, or out: rarely taken, so that walks get far
NAMES = ("author", "approver", "signatory", "qa", "intake", "assessor", "decider")


def machine_for(cast):
    """A state machine whose every example starts from the same filled draft and is rolled back at its end."""

    class Walk(RuleBasedStateMachine):
        chance_of_leaving = 0.1

        def __init__(self):
            super().__init__()
            self.savepoint = transaction.savepoint()
            cast.submission = Submission.objects.get(pk=cast.submission.pk)

        def teardown(self):
            seal_events()
            assert verify_trail().broken == ""
            transaction.savepoint_rollback(self.savepoint)

        # Anybody tries anything

        @rule(step=st.sampled_from(STEPS), name=st.sampled_from(NAMES), reason=st.sampled_from(["", "a reason"]))
        def somebody_tries_some_step(self, step, name, reason):
            self.try_step(step, name, reason)

        @rule(step=st.sampled_from(["t22", "t30", "t31"]))
        def the_instance_tries_its_steps(self, step):
            self.try_step(step, None, "")

        @rule(choice=st.randoms(use_true_random=False))
        def somebody_takes_a_step_that_leads_on(self, choice):
            self.prepare()
            steps = [
                step
                for step in regulation.machine().from_state(self.state)
                if not step.by_system and (step.id not in AWAY or choice.random() < self.chance_of_leaving)
            ]
            if steps:
                step = choice.choice(steps)
                role = step.by[0]
                names = [n for n in NAMES if cast.people[n].memberships.filter(role=role).exists()]
                self.try_step(step.id, choice.choice(names), "a reason")

        def try_step(self, step, name, reason):
            before = (self.state, cast.submission.changes.count(), Signature.objects.count())
            events = AuditEvent.objects.filter(action__startswith="submission.t").count()
            terms = cast.signing(name) if name else {"person": None}
            try:
                with transaction.atomic():
                    move_submission(cast.submission, transition=step, reason=reason, **terms)
            except REFUSALS:
                after = (self.state, cast.submission.changes.count(), Signature.objects.count())
                assert after == before, (step, name)
            else:
                cast.submission = Submission.objects.get(pk=cast.submission.pk)
                assert AuditEvent.objects.filter(action__startswith="submission.t").count() == events + 1
                assert cast.submission.changes.count() == before[1] + 1

        @property
        def state(self):
            return Submission.objects.values_list("state", flat=True).get(pk=cast.submission.pk)

        def prepare(self):
            """What people do between the steps, so that a walk gets far."""
            for act in PREPARATIONS.get(self.state, ()):
                try:
                    with transaction.atomic():
                        act(cast)
                except REFUSALS:
                    pass
            cast.submission = Submission.objects.get(pk=cast.submission.pk)

        # What always holds

        @invariant()
        def nobody_is_active_without_plan_decision_and_both_sides(self):
            if self.state not in ("active", "suspended"):
                return
            taken = list(cast.submission.changes.values_list("transition", flat=True))
            assert "t14" in taken and "t17" in taken
            plan = cast.submission.plans.exclude(frozen_at=None).first()
            assert plan is not None
            signed = Signature.objects.filter(content_sha256=plan.sha256)
            assert signed.filter(role="developer_approver").exists()
            assert Signature.objects.filter(role="regulator_decider", meaning="approval").exists()
            assert cast.submission.decisions.filter(transition="t14").exclude(signature_id=None).exists()

        @invariant()
        def nobody_signs_as_author_and_approver_or_reviews_and_decides(self):
            by_content = {}
            for one in Signature.objects.filter(subject_kind="assurance.submission"):
                for meaning in one.meaning.split(" and "):
                    by_content.setdefault((one.content_sha256, meaning), set()).add(one.person_id)
                    by_content.setdefault(("any", meaning), set()).add(one.person_id)
            for (content, meaning), people in list(by_content.items()):
                if meaning == "authorship" and content != "any":
                    assert not people & by_content.get((content, "approval"), set())
            reviewers = set(cast.submission.assessments.values_list("author_id", flat=True))
            assert not reviewers & by_content.get(("any", "decision"), set())

        @invariant()
        def a_regulator_sees_nothing_before_it_was_submitted(self):
            seen = visible_submissions(cast.people["decider"]).filter(pk=cast.submission.pk).exists()
            submitted = cast.submission.changes.filter(transition="t06").exists()
            assert seen == submitted

        @invariant()
        def every_seal_holds(self):
            for one in Signature.objects.all():
                assert keys.seal_holds(one.statement(), one.seal)

        @invariant()
        def no_clock_is_longer_than_its_programme_allows(self):
            for clock in cast.submission.clocks.filter(stopped_at=None):
                terms, now = terms_of(clock), clock.started_at
                found = due(clock, now=now)
                most = terms.most_pause_days or 0
                plain = due_at(terms, started=clock.started_at, now=now)
                if terms.answer != "restart" and found:
                    assert (found - plain).days <= most
                assert len([pause for pause in pauses_of(clock) if pause.end is None]) <= 1

        @invariant()
        def only_the_archive_is_the_end(self):
            assert bool(regulation.machine().from_state(self.state)) == (self.state != "archived")

        @invariant()
        def the_path_out_of_a_running_test_passed_the_exit_evaluation(self):
            targets = list(cast.submission.changes.order_by("pk").values_list("target", flat=True))
            if "active" in targets and targets[-1] in ("exited", "archived"):
                assert "exit_evaluation" in targets[targets.index("active") :]

    return Walk


def _decide(*steps):
    def act(cast):
        for step in steps:
            if not cast.submission.decisions.filter(transition=step, decided_at=None).exists():
                proceedings.prepare_decision(
                    cast.submission, transition=step, reasons="Reasons.", no_conditions=True, by=cast.actor("decider")
                )

    return act


def _assess(stage):
    def act(cast):
        names = regulation.profile_from(cast.submission.profile_terms).criteria if stage == "admission" else ["plan"]
        criteria = {name: {"judgement": "met", "reason": "shown"} for name in names}
        proceedings.sign_assessment(
            cast.submission, criteria=criteria, recommendation="Go on.", stage=stage, **cast.signing("assessor")
        )

    return act


def _declare(cast):
    for fact in ("terms", "confidentiality"):
        declare(cast.submission, fact=fact, value=True, by=cast.actor("approver"))


def _ask(name):
    return lambda cast: proceedings.ask(cast.submission, question="Which films?", by=cast.actor(name))


def _answer(cast):
    for request in proceedings.waiting_requests(cast.submission):
        proceedings.answer(request, text="All.", by=cast.actor("author"))


def _plan(cast):
    plan = plans.freeze_plan(cast.submission, by=cast.actor("author"))
    if not Signature.objects.filter(content_sha256=plan.sha256).exists():
        for name in ("approver", "signatory"):
            plans.sign_plan(plan, **cast.signing(name))


def _records(cast):
    for kind in ("incident.log", "capa.log"):
        if not cast.submission.evidence.filter(kind=kind).exists():
            cast.add(kind, text="None.")
    if not cast.submission.evidence.filter(kind="monitoring.results").exists():
        cast.add("monitoring.results", finding=cast.findings["performance.overall"])


def _final(cast):
    _records(cast)
    endings.write_exit_paper(cast.submission, kind="final_report", content={"results": "x"}, by=cast.actor("author"))


def _exit(cast):
    if not cast.submission.exit_papers.filter(kind="exit_report").exists():
        paper = endings.write_exit_paper(
            cast.submission, kind="exit_report", content={"conclusion": "x"}, by=cast.actor("assessor")
        )
        endings.share_exit_paper(paper, by=cast.actor("assessor"))
        endings.comment_exit_paper(paper, comment="None.", by=cast.actor("approver"))


PREPARATIONS = {
    "ready": (_declare,),
    "completeness_check": (_ask("intake"), _decide("t10")),
    "information_requested": (_answer,),
    "under_assessment": (_assess("admission"), _decide("t14", "t15")),
    "refused": (_decide("t29"),),
    "plan_negotiation": (_plan,),
    "active": (_records, _decide("t18", "t21")),
    "suspended": (_decide("t20", "t21"),),
    "final_report_due": (_final,),
    "exit_evaluation": (_exit, _assess("exit"), _decide("t25")),
}


@pytest.mark.django_db
def test_random_walks_keep_the_rules(tmp_path, settings):
    settings.KEY_DIR = tmp_path / "keys"
    cast = make_cast()
    fill(cast)
    walk(cast)


def walk(cast):
    run_state_machine_as_test(
        machine_for(cast),
        settings=settings(
            max_examples=4, stateful_step_count=18, deadline=None, derandomize=True,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize("seed", range(2))
def test_a_walk_that_means_to_get_on_runs_and_is_evaluated(tmp_path, settings, seed):
    """The helpful rule alone, so that the deep states are visited for certain."""
    settings.KEY_DIR = tmp_path / "keys"
    cast = make_cast()
    fill(cast)
    chance = random.Random(seed)
    walker = machine_for(cast)()
    walker.chance_of_leaving = 0
    visited = set()
    for _ in range(60):
        walker.somebody_takes_a_step_that_leads_on(chance)
        visited.add(walker.state)
        if walker.state == "exited":
            break
        for name in ("nobody_is_active_without_plan_decision_and_both_sides",
                     "nobody_signs_as_author_and_approver_or_reviews_and_decides",
                     "a_regulator_sees_nothing_before_it_was_submitted",
                     "the_path_out_of_a_running_test_passed_the_exit_evaluation"):  # fmt: skip
            getattr(walker, name)()
    assert {"under_assessment", "plan_negotiation", "active", "exit_evaluation"} <= visited
