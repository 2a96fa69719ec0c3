"""Regulator: from the inbox to the coverage of requirements, to a number and how it was computed, to the decision."""

import base64

import pytest

from tests.browser.walking import totp_code
from tests.dossiers import Instance, bundle_files, zipped
from tests.sandbox import PASSWORD, assess, make_cast, submit

TITLE = "Chest films at a second hospital"


@pytest.fixture
def cast(transactional_db, tmp_path, settings):
    settings.KEY_DIR = tmp_path / "keys"
    made = make_cast()
    submit(made)
    return made


def state_of(cast):
    cast.submission.refresh_from_db()
    return cast.submission.state


def test_from_the_inbox_to_the_number_and_the_decision(walker, cast):
    intake = cast.people["intake"]
    walker.sign_in(intake, password=PASSWORD, totp_secret=cast.secrets[intake.pk])
    walker.open("/").see("Submissions", TITLE).check_page()  # the inbox is a regulator's first page
    walker.shot("inbox")
    walker.follow(TITLE).see("Next").check_page()
    walker.fill_signature("t07", PASSWORD, totp_code(cast.secrets[intake.pk]))
    walker.press_id("take-t07")
    walker.wait(lambda: state_of(cast) == "completeness_check", "the signed step was not taken", seconds=20)

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
    form = walker.find("#prepare-decision").find_element("xpath", "ancestor::form")
    form.find_element("css selector", "option[value='t14']").click()
    form.find_element("css selector", "[name=reasons]").send_keys("All criteria are met.")
    form.find_element("css selector", "[name=conditions]").send_keys("Report each month")
    walker.press_id("prepare-decision").see("The decision is prepared", "Report each month")
    walker.fill_signature("t14", PASSWORD, totp_code(cast.secrets[decider.pk])).press_id("take-t14")
    walker.wait(lambda: state_of(cast) == "admitted", "the decision was not signed", seconds=20)
    walker.open(f"/submissions/{cast.submission.pk}").see("Admitted", "Decider, decision").check_page()
    walker.shot("submission-decided")


def drop(walker, content, name):
    """Let a file fall onto the form, as a person drags it from the desktop."""
    walker.driver.execute_script(
        "const bytes = Uint8Array.from(atob(arguments[0]), (c) => c.charCodeAt(0));"
        "const held = new DataTransfer(); held.items.add(new File([bytes], arguments[1]));"
        "document.querySelector('[data-drop] .drop-hint').dispatchEvent("
        "  new DragEvent('drop', { dataTransfer: held, bubbles: true, cancelable: true }));",
        base64.b64encode(content).decode(), name,
    )  # fmt: skip
    walker.wait(lambda: name in walker.text, "the dropped file was not checked", seconds=60)


def test_a_dropped_dossier_is_checked_and_a_changed_one_is_found_out(walker, transactional_db, tmp_path, settings):
    settings.KEY_DIR = tmp_path / "keys"
    files = bundle_files(instance=Instance())
    cast = make_cast()
    walker.enter(cast.people["assessor"])
    walker.open("/dossiers/").follow("Verify a file").see("Drop a dossier").check_page()
    drop(walker, zipped(files), "D-2026-0007.zip")
    # another instance made it, so nobody here vouches for its key, and the page says so
    walker.see("Holds").check_page()
    walker.shot("verify")
    changed = dict(files)
    place = next(name for name in sorted(changed) if name.endswith((".csv", ".json")))
    changed[place] = changed[place].replace(b"0", b"1", 1)
    drop(walker, zipped(changed), "changed.zip")
    walker.see("This file does not hold", "Failed")
    walker.shot("verify-changed")


def test_another_regulator_does_not_see_the_file(walker, cast):
    other = make_cast()
    walker.enter(other.people["assessor"])
    walker.open(f"/submissions/{cast.submission.pk}").see("Nothing is here for you")
