"""Regulator: from the inbox to the coverage of requirements, to a number and how it was computed, to the decision."""

import pytest

from tests.browser.walking import totp_code
from tests.sandbox import PASSWORD, assess, make_cast, submit

TITLE = "Chest films at a second hospital"


@pytest.fixture
def cast(transactional_db, tmp_path, settings):
    settings.KEY_DIR = tmp_path / "keys"
    made = make_cast()
    submit(made)
    return made


def test_from_the_inbox_to_the_number_and_the_decision(walker, cast):
    intake = cast.people["intake"]
    walker.sign_in(intake, password=PASSWORD, totp_secret=cast.secrets[intake.pk])
    walker.open("/").see("Submissions", TITLE).check_page()  # the inbox is a regulator's first page
    walker.shot("inbox")
    walker.follow(TITLE).see("Next").check_page()
    walker.fill_signature("t07", PASSWORD, totp_code(cast.secrets[intake.pk]))
    walker.press_id("take-t07")
    cast.submission.refresh_from_db()
    assert cast.submission.state == "completeness_check"

    cast.move("t09", "intake")
    assessor = cast.people["assessor"]
    walker.leave()
    walker.enter(assessor)
    walker.open(f"/submissions/{cast.submission.pk}")
    walker.fill("question", "How were films chosen?").press_id("ask").see("How were films chosen?")
    walker.shot("submission-question")

    # requirement, then evidence, then the number, then how it was computed
    walker.open(f"/submissions/{cast.submission.pk}/coverage").check_page()
    walker.shot("coverage")
    record = cast.findings["performance.overall"]
    walker.open(f"/submissions/{cast.submission.pk}")
    walker.follow("auroc").see("How it was computed", record.digest).check_page()
    walker.shot("evidence")
    walker.open(f"/search?q={record.evidence_id}").see("Evidence", record.evidence_id).check_page()
    walker.open("/search?q=films").see("Submissions", TITLE)


def test_the_decision_is_signed_by_its_maker(walker, cast):
    assess(cast, with_question=False)
    decider = cast.people["decider"]
    walker.enter(decider)
    walker.open(f"/submissions/{cast.submission.pk}").see("Admit").check_page()
    walker.shot("submission-decision")


def test_another_regulator_does_not_see_the_file(walker, cast):
    other = make_cast()
    walker.enter(other.people["assessor"])
    walker.open(f"/submissions/{cast.submission.pk}").see("Nothing is here for you")
