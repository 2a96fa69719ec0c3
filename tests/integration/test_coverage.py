"""Coverage: taken again from the YAML by other code, and what a superseded Finding makes stale."""

from datetime import datetime
from pathlib import Path

import pytest
import yaml

from assurance import regulation
from assurance.evidence.finding import State, Window
from assurance.selectors.changes import changes_since_signed
from assurance.selectors.coverage import coverage_of, coverage_totals, cross_framework, frameworks
from assurance.selectors.evidence import pieces_of
from assurance.selectors.graph import graph_of
from assurance.services.cards import save_card
from assurance.services.findings import store_finding
from assurance.services.proceedings import mark_not_applicable
from tests.sandbox import answers_for, fill, finding, make_cast, submit

pytestmark = pytest.mark.django_db
FOLDER = Path(regulation.__file__).parent / "data" / "regulation"


@pytest.fixture(autouse=True)
def keys(tmp_path, settings):
    settings.KEY_DIR = tmp_path / "keys"


@pytest.fixture
def cast(db):
    found = make_cast()
    fill(found)
    return found


def from_the_yaml(serving_kinds):
    """Met, partial, gap for each framework, with nothing of the product but its files."""
    counts = {}
    for path in FOLDER.glob("*.yaml"):
        content = yaml.safe_load(path.read_text())
        if content.get("kind") != "framework":
            continue
        states = {"met": 0, "partial": 0, "gap": 0}
        for requirement in content["requirements"]:
            held = sum(kind in serving_kinds for kind in requirement["evidence"])
            state = "met" if held == len(requirement["evidence"]) else "partial" if held else "gap"
            states[state] += 1
        counts[content["id"]] = states
    return counts


def test_the_numbers_of_every_framework_are_those_of_the_yaml(cast):
    """The kinds that serve are listed by hand here: what this file holds, and nothing else."""
    by_words = {"sandbox.application", "risk_management", "human_oversight", "monitoring.plan", "privacy.protection",
                "standards.list", "governance.roles"}  # fmt: skip
    by_findings = {"performance.overall", "performance.subgroup", "dataset.partitioning"}
    by_card = {
        "model_card.identity", "model_card.regulatory_status", "model_card.intended_use", "model_card.out_of_scope",
        "model_card.users_environment", "model_card.workflow", "model_card.inputs_outputs", "model_card.architecture",
        "model_card.development", "model_card.limitations", "model_card.ethics", "model_card.maintenance",
        "model_card.disclosures", "dataset.provenance", "dataset.representativeness", "dataset.selection",
        "dataset.preprocessing", "dataset.reference_standard",
    }  # fmt: skip
    by_record = {"sandbox.plan", "audit_trail", "change_control.version_history"}
    expected = from_the_yaml(by_words | by_findings | by_card | by_record)
    assert sum(sum(states.values()) for states in expected.values()) == 635 and len(expected) == 22
    for row in coverage_totals(cast.submission):
        states = {key: row.counts[key] for key in ("met", "partial", "gap")}
        assert states == expected[row.framework.id], row.framework.id


def test_no_requirement_is_left_out(cast):
    pieces = pieces_of(cast.submission)
    ids = [row.id for f in frameworks() for row in coverage_of(cast.submission, framework=f.id, pieces=pieces)]
    assert len(ids) == len(set(ids)) == 635


def test_a_superseded_finding_turns_exactly_its_requirements_stale(cast):
    pieces = pieces_of(cast.submission)
    before = {row.id: row for f in frameworks() for row in coverage_of(cast.submission, framework=f.id, pieces=pieces)}
    assert not any(row.stale for row in before.values())
    supersede(cast, "performance.subgroup")
    pieces = pieces_of(cast.submission)
    after = {row.id: row for f in frameworks() for row in coverage_of(cast.submission, framework=f.id, pieces=pieces)}
    expected = {
        requirement["id"]
        for path in FOLDER.glob("*.yaml")
        for requirement in (yaml.safe_load(path.read_text()).get("requirements") or [])
        if "performance.subgroup" in requirement["evidence"]
    }
    assert {key for key, row in after.items() if row.stale} == expected and len(expected) > 10
    for key in before:
        if key not in expected:
            assert (before[key].state, before[key].reason) == (after[key].state, after[key].reason)
        else:
            assert after[key].state in ("partial", "gap") and "was superseded by" in after[key].reason


def test_what_changed_since_it_was_signed_names_whose_approval_lapses(cast):
    cast2 = make_cast()
    submit(cast2)
    assert changes_since_signed(cast2.submission).changes == ()
    supersede(cast2, "performance.overall")
    report = changes_since_signed(cast2.submission)
    assert [change.kind for change in report.changes] == ["changed"]
    assert {r.id for r in report.stale_requirements} == {
        r.id for r in regulation.catalogue().served_by("performance.overall")
    }
    titles = [renewal.signature.title for renewal in report.renewals]
    assert titles == [
        "Author: authorship (t02)",
        "Approver: review and approval (t04)",
        "Approver: responsibility (t06)",
    ]
    assert all("performance.overall" in renewal.because[0] for renewal in report.renewals)


def supersede(cast, kind):
    old = cast.findings[kind]
    span = Window(*(datetime.fromisoformat(old.content["window"][k]) for k in ("start", "end")))
    fresh = finding(value=0.7, stratum=old.content["stratum"], seed=3).placed(window=span)
    store_finding(fresh, family="performance", deployment=cast.submission.deployments.get())


def test_a_later_card_makes_stale_only_the_kinds_whose_fields_changed():
    cast = make_cast()
    submit(cast)
    answers = answers_for(**{"use.workflow": {"status": "answered", "value": "After the reader, not before."}})
    save_card(cast.version, answers=answers, by=cast.actor("author"))
    report = changes_since_signed(cast.submission)
    assert [change.what for change in report.changes] == ["Model card, revision 1 (model_card.workflow)"]
    stale = {piece.kind for piece in pieces_of(cast.submission) if piece.standing == "stale"}
    assert stale == {"model_card.workflow"}


def test_too_little_data_serves_nothing(cast):
    thin = store_finding(
        finding("ece", None, state=State.INSUFFICIENT), family="performance",
        deployment=cast.submission.deployments.get(),
    )  # fmt: skip
    cast.add("calibration", finding=thin)
    piece = next(piece for piece in pieces_of(cast.submission) if piece.kind == "calibration")
    assert not piece.serves and "too few cases" in piece.reason


def test_what_does_not_apply_is_said_by_a_signature(cast):
    mark_not_applicable(
        cast.submission, requirement="eu-ai-act-4a-bias-data", reason="No such data are used.",
        **cast.signing("approver"),
    )  # fmt: skip
    row = next(r for r in coverage_of(cast.submission, framework="eu-ai-act") if r.id == "eu-ai-act-4a-bias-data")
    assert (row.state, row.reason, row.signed_by) == ("not_applicable", "No such data are used.", "Approver")


def test_one_piece_lists_all_requirements_that_it_serves(cast):
    rows = cross_framework(cast.submission)
    row = next(row for row in rows if row.evidence.kind == "performance.overall")
    assert {r.id for r in row.requirements} == {r.id for r in regulation.catalogue().served_by("performance.overall")}
    assert len({r.framework for r in row.requirements}) > 5


def test_the_graph_hash_of_a_requirement_moves_with_its_evidence_alone(cast):
    before = graph_of(cast.submission).hashes()
    supersede_item = cast.submission.evidence.get(kind="risk_management")
    type(supersede_item).objects.filter(pk=supersede_item.pk).update(sha256="c" * 64)
    after = graph_of(cast.submission).hashes()
    moved = {key.removeprefix("requirement:") for key in before
             if key.startswith("requirement:") and before[key] != after[key]}  # fmt: skip
    assert moved == {r.id for r in regulation.catalogue().served_by("risk_management")}
