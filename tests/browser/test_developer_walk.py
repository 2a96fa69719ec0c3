"""Developer: from the model to its card, to the submission's checklist, to handing it in under signature."""

import pytest
from selenium.webdriver.common.keys import Keys

from assurance.services.cards import save_card
from assurance.services.findings import store_finding
from tests.browser.walking import totp_code
from tests.sandbox import PASSWORD, answers_for, fill, finding, make_cast

TITLE = "Chest films at a second hospital"


@pytest.fixture
def cast(transactional_db, tmp_path, settings):
    settings.KEY_DIR = tmp_path / "keys"
    return make_cast()


def state_of(cast):
    cast.submission.refresh_from_db()
    return cast.submission.state


def test_from_the_model_to_a_signed_request_for_review(walker, cast):
    author = cast.people["author"]
    save_card(cast.version, answers=answers_for(), by=cast.actor("author"))
    walker.sign_in(author, password=PASSWORD, totp_secret=cast.secrets[author.pk])

    walker.open("/models/").check_page()
    walker.follow(cast.version.model.name).see("Lineage").check_page()
    walker.shot("model")
    walker.open(f"/cards/{cast.version.pk}").check_page()
    walker.shot("card")

    # a field of the card saves itself as it is left, and the page says so
    walker.open(f"/cards/{cast.version.pk}/edit").check_page()
    field = walker.find("textarea[name=value]")
    field.send_keys(" for adults", Keys.TAB)
    walker.wait(lambda: "aved" in walker.find(".field-form .saved").text, "the field did not save itself")
    walker.shot("card-edit")

    walker.open("/submissions/").check_page()
    walker.follow(TITLE).see("Next", "Missing").check_page()
    walker.shot("submission-draft")

    fill(cast)  # the rest of the file, as the services take it in
    walker.open(f"/submissions/{cast.submission.pk}").check_page()
    walker.fill_signature("t02", PASSWORD, totp_code(cast.secrets[author.pk]))
    walker.press_id("take-t02")
    walker.wait(lambda: state_of(cast) == "internal_review", "the signed step was not taken", seconds=20)
    walker.open(f"/submissions/{cast.submission.pk}").see("Signatures").check_page()
    walker.shot("submission-signed")


def test_evidence_is_linked_and_the_keys_and_deliveries_are_in_reach(walker, cast):
    record = store_finding(finding(), family="performance", deployment=cast.submission.deployments.get())
    walker.enter(cast.people["author"])
    walker.open(f"/versions/{cast.version.pk}").see("Lineage", "Runs at").check_page()
    walker.shot("version")

    # a number becomes evidence by its id, and the checklist knows it at once
    walker.open(f"/submissions/{cast.submission.pk}").see("What the file must hold")
    missing = walker.find("#checklist").text.count("Missing")
    walker.find("#file summary").click()
    walker.fill("kind", "performance.overall").fill("title", "AUROC at the second hospital")
    walker.find("#ev-finding").send_keys(record.evidence_id)
    walker.press("File").see("AUROC at the second hospital")
    assert walker.find("#checklist").text.count("Missing") == missing - 1
    walker.shot("submission-evidence")

    # from the version to what runs: the developer of the device sees how its deliveries fare, and no case
    deployment = cast.submission.deployments.get()
    walker.open(f"/versions/{cast.version.pk}").follow(deployment.name).see("In words")
    walker.follow("Data received").see("Deliveries").check_page()
    walker.shot("deliveries")

    approver = cast.people["approver"]
    walker.leave()
    walker.enter(approver)
    walker.open("/profile").follow(str(cast.version.model.organisation)).see("tokens").check_page()
    walker.shot("tokens")


def test_the_author_cannot_take_the_approvers_step(walker, cast):
    fill(cast)
    cast.move("t02", "author")
    walker.enter(cast.people["author"])
    walker.open(f"/submissions/{cast.submission.pk}").see("it is not yours to take")
    assert not walker.find_all("#take-t04")
