"""The table of steps: what no path can do, whatever people choose; and clocks that stop and start."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from assurance import regulation
from assurance.evidence.errors import InvalidInput
from assurance.requirements.graph import Graph, Node
from assurance.services.submission_guards import CHECKS
from assurance.submissions.clocks import Pause, Terms, add_months, due_at
from assurance.submissions.machine import read_machine

MACHINE = regulation.machine()
START = datetime(2026, 1, 31, 9, tzinfo=UTC)


def reachable(start, *, without=(), without_steps=()):
    found, layer = set(), {start}
    while layer:
        layer = {
            step.target
            for state in layer
            for step in MACHINE.from_state(state)
            if step.target not in without and step.id not in without_steps
        } - found
        found |= layer
    return found


def test_the_table_has_the_states_steps_and_roles_that_were_agreed():
    text = (Path(regulation.__file__).parent / "data/regulation/submission_states.yaml").read_text()
    content = yaml.safe_load(text)
    assert (len(content["states"]), len(content["transitions"]), len(content["roles"])) == (18, 31, 10)
    assert set(CHECKS) == set(MACHINE.checks)


def test_every_state_but_archived_can_be_left():
    stuck = [state for state in MACHINE.states if not MACHINE.from_state(state)]
    assert stuck == ["archived"]
    assert reachable("none") == set(MACHINE.states)


def test_no_path_reaches_active_without_decision_plan_and_both_sides():
    assert "active" not in reachable("none", without_steps=("t14",))
    assert "active" not in reachable("none", without_steps=("t17",))
    for step in MACHINE.transitions.values():
        if step.target == "active" and step.id != "t20":
            assert {"sandbox.plan", "signature"} <= set(step.requires)
            assert "developer_approver_signed_plan" in step.checks and step.sign == ("approval",)


@pytest.mark.parametrize("state", ["active", "suspended"])
def test_from_a_running_test_every_path_to_the_archive_passes_the_exit_evaluation(state):
    assert "archived" in reachable(state)
    assert "archived" not in reachable(state, without=("exit_evaluation",))
    assert "withdrawn" not in reachable(state)


def test_no_role_stands_on_two_sides_of_a_decision():
    for step in MACHINE.transitions.values():
        if "decision" in step.sign:
            assert step.by == ("regulator_decider",), step.id
        if "authorship" in step.sign:
            assert step.by == ("developer_author",), step.id
        assert not (step.by_system and step.sign), step.id


def test_an_unknown_state_or_check_in_the_data_stops_the_start():
    content = yaml.safe_load((Path(regulation.__file__).parent / "data/regulation/submission_states.yaml").read_text())
    for part, value in (("to", "nowhere"), ("checks", ["no_such_check"])):
        broken = content | {"transitions": [content["transitions"][0] | {part: value}]}
        with pytest.raises(InvalidInput):
            read_machine(broken)


# Clocks

PAUSING = Terms(id="c", what="decision", length=3, unit="months", answer="pause", most_pause_days=30)


def test_three_months_from_the_last_of_january_by_hand():
    assert due_at(Terms("c", "x", 3, "months"), started=START, now=START) == datetime(2026, 4, 30, 9, tzinfo=UTC)
    assert add_months(START.date(), 1).isoformat() == "2026-02-28"
    assert due_at(Terms("c", "x", 15, "calendar_days"), started=START, now=START).date().isoformat() == "2026-02-15"
    before = due_at(Terms("c", "x", 30, "calendar_days_before"), started=START, now=START)
    assert before.date().isoformat() == "2026-01-01"


def test_ten_days_with_the_participant_move_the_due_day_by_ten():
    pauses = [Pause(START + timedelta(5), START + timedelta(15))]
    plain = due_at(PAUSING, started=START, now=START)
    assert due_at(PAUSING, started=START, pauses=pauses, now=START + timedelta(20)) == plain + timedelta(10)


def test_a_restarting_clock_stands_still_and_begins_at_zero():
    terms = Terms("c", "acceptance", 15, "calendar_days", answer="restart")
    open_pause = [Pause(START + timedelta(5), None)]
    assert due_at(terms, started=START, pauses=open_pause, now=START + timedelta(6)) is None
    answered = [Pause(START + timedelta(5), START + timedelta(25))]
    assert due_at(terms, started=START, pauses=answered, now=START + timedelta(26)) == START + timedelta(40)


@st.composite
def pauses(draw):
    moment, found = START, []
    for gap, length in draw(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 90)), max_size=6)):
        start = moment + timedelta(days=gap)
        moment = start + timedelta(days=length)
        found.append(Pause(start, moment))
    return found


@given(pauses())
def test_requests_opened_again_and_again_never_lengthen_a_clock_beyond_its_limit(found):
    now = START + timedelta(days=2000)
    plain = due_at(PAUSING, started=START, now=now)
    late = due_at(PAUSING, started=START, pauses=found, now=now)
    assert plain <= late <= plain + timedelta(days=30)
    running = Terms("c", "x", 3, "months", answer="run")
    assert due_at(running, started=START, pauses=found, now=now) == plain


@given(pauses(), st.integers(0, 400))
def test_a_standing_clock_never_runs_backwards(found, days):
    open_now = [*found, Pause(START + timedelta(days=700), None)]
    first = due_at(PAUSING, started=START, pauses=open_now, now=START + timedelta(days=700 + days))
    later = due_at(PAUSING, started=START, pauses=open_now, now=START + timedelta(days=701 + days))
    assert first <= later


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        (lambda: due_at(PAUSING, started=datetime(2026, 1, 1), now=START), "no_time_zone"),
        (lambda: due_at(PAUSING, started=START, pauses=[Pause(START, START - timedelta(1))], now=START), "pause_order"),
        (lambda: Terms("c", "x", 1, "moons"), "unknown_unit"),
        (lambda: Terms("c", "x", 1, "months", answer="maybe"), "unknown_rule"),
    ],
)
def test_a_clock_that_makes_no_sense_is_refused(bad, code):
    with pytest.raises(InvalidInput) as refusal:
        bad()
    assert refusal.value.code == code


def test_every_profile_reads_its_clocks_from_the_catalogue_of_deadlines():
    eu, fda = (regulation.profiles()[key] for key in ("eu-ai-act-sandbox", "fda-q-sub"))
    assert [(c.terms.id, c.terms.length, c.terms.unit) for c in eu.clocks] == [
        ("clk-eu-sandbox-decision", 3, "months"), ("clk-eu-exit-report", 2, "months")
    ]  # fmt: skip
    assert {c.terms.answer for c in fda.clocks} == {"restart"} and fda.advice_only and not fda.appeal_days
    assert not eu.sites_must_sign(real_world=False) and eu.sites_must_sign(real_world=True)


# The graph


def graph(edges):
    names = {name for pair in edges for name in pair}
    rests = {name: tuple(low for up, low in edges if up == name) for name in names}
    return Graph({name: Node(name, "x", name, name) for name in names}, rests)


def test_what_rests_on_a_change_is_found_through_every_step():
    made = graph([("requirement", "kind"), ("kind", "finding"), ("signature", "snapshot"), ("snapshot", "finding"),
                  ("other", "document")])  # fmt: skip
    assert {node.id for node in made.above(["finding"])} == {"kind", "requirement", "snapshot", "signature"}
    assert made.above(["requirement"]) == []


def test_a_circle_and_a_missing_node_are_refused():
    with pytest.raises(InvalidInput, match="rests on itself"):
        graph([("a", "b"), ("b", "a")]).hashes()
    with pytest.raises(InvalidInput, match="which is not there"):
        Graph({"a": Node("a", "x", "a", "a")}, {"a": ("b",)}).hashes()
