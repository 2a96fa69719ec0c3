"""Every page of the registry, the cards and the submissions: who sees it, and that it says what it should."""

import pytest
from django.urls import reverse

from assurance.models import ModelCard
from assurance.services.cards import publish_card, save_card
from tests.factories import ModelFactory, ModelVersionFactory
from tests.sandbox import activate, admit, answers_for, assess, fill, make_cast, submit

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def keys(tmp_path, settings):
    settings.KEY_DIR = tmp_path / "keys"


def pages_of(cast):
    submission, version = cast.submission, cast.version
    return {
        "model_list": reverse("assurance:model_list"),
        "model": reverse("assurance:model", args=[version.model.slug]),
        "version": reverse("assurance:version", args=[version.pk]),
        "bill": reverse("assurance:version_bill", args=[version.pk]),
        "card": reverse("assurance:card", args=[version.pk]),
        "difference": reverse("assurance:card_difference", args=[version.pk]),
        "list": reverse("assurance:submission_list"),
        "submission": reverse("assurance:submission", args=[submission.pk]),
        "coverage": reverse("assurance:coverage", args=[submission.pk]),
        "one": reverse("assurance:coverage", args=[submission.pk]) + "?framework=eu-ai-act",
        "across": reverse("assurance:coverage_across", args=[submission.pk]),
        "changes": reverse("assurance:submission_changes", args=[submission.pk]),
    }


def seen(client, person, address):
    client.force_login(person)
    return client.get(address).status_code


def test_owner_regulator_and_hospital_see_every_page_and_a_stranger_none(client):
    cast, other = make_cast(), make_cast()
    submit(cast)
    for person in ("author", "decider", "signatory"):
        for name, address in pages_of(cast).items():
            hidden = name == "difference" and person in ("intake", "decider")  # of revisions before the file came
            assert seen(client, cast.people[person], address) == (404 if hidden else 200), (person, name)
    for person in ("author", "intake"):
        for name, address in pages_of(cast).items():
            expected = 200 if name in ("model_list", "list") else 404
            assert seen(client, other.people[person], address) == expected, (person, name)


def test_a_regulator_and_a_hospital_see_no_draft(client):
    cast = make_cast()
    fill(cast)
    address = pages_of(cast)["submission"]
    assert seen(client, cast.people["author"], address) == 200
    assert seen(client, cast.people["intake"], address) == 404
    assert seen(client, cast.people["signatory"], address) == 404
    cast.move("t02", "author")
    cast.move("t04", "approver")
    assert seen(client, cast.people["signatory"], address) == 200
    assert seen(client, cast.people["decider"], address) == 404


@pytest.mark.parametrize("stage", [assess, admit, activate])
def test_the_workspace_opens_in_every_stage(client, stage):
    cast = make_cast()
    submit(cast)
    for one in (assess, admit, activate):
        one(cast)
        if one is stage:
            break
    for person in ("author", "assessor", "decider", "qa"):
        assert seen(client, cast.people[person], pages_of(cast)["submission"]) == 200


def test_the_developer_never_sees_the_assessment_or_the_remarks(client):
    from assurance.services.proceedings import remark

    cast = make_cast()
    submit(cast)
    assess(cast)
    remark(cast.submission, text="Between ourselves: look at site two.", by=cast.actor("assessor"))
    client.force_login(cast.people["assessor"])
    assert b"Between ourselves" in client.get(pages_of(cast)["submission"]).content
    client.force_login(cast.people["author"])
    page = client.get(pages_of(cast)["submission"]).content
    assert b"Between ourselves" not in page and b"Admit." not in page


def test_a_card_is_public_only_when_it_was_opened(client):
    cast = make_cast()
    save_card(cast.version, answers=answers_for(), by=cast.actor("author"))
    address = pages_of(cast)["card"]
    assert client.get(address).status_code == 302
    publish_card(ModelCard.objects.get(), public=True, by=cast.actor("approver"))
    page = client.get(address)
    assert page.status_code == 200 and b"Revisions" not in page.content and b"Intended use" in page.content


def test_a_regulator_reads_the_card_that_was_submitted_and_no_other_revision(client):
    cast = make_cast()
    save_card(
        cast.version, answers=answers_for(**{"use.benefit": answered("An early draft.")}), by=cast.actor("author")
    )
    submit(cast)
    save_card(cast.version, answers=answers_for(**{"use.benefit": answered("A later text.")}), by=cast.actor("author"))
    address = pages_of(cast)["card"]
    client.force_login(cast.people["assessor"])
    for page in (client.get(address), client.get(address + "?revision=1"), client.get(address + "?revision=3")):
        assert b"revision 2 of" in page.content
        assert b"An early draft." not in page.content and b"A later text." not in page.content
    export = client.get(reverse("assurance:card_export", args=[cast.version.pk, "json"]))
    assert b"A later text." not in export.content
    client.force_login(cast.people["author"])
    assert b"An early draft." in client.get(address + "?revision=1").content


def answered(value):
    return {"status": "answered", "value": value}


def test_the_editor_saves_one_answer_at_a_time_and_keeps_a_revision(client):
    cast = make_cast()
    client.force_login(cast.people["author"])
    address = reverse("assurance:card_edit", args=[cast.version.pk])
    assert client.get(address).status_code == 200
    sent = {"field": "identity.name", "status": "answered", "value": "CXR helper"}
    answer = client.post(address, sent, headers={"HX-Request": "true"})
    assert b"Saved" in answer.content
    refused = client.post(
        address,
        {"field": "identity.release_date", "status": "answered", "value": "soon"},
        headers={"HX-Request": "true"},
    )
    assert b"give a date such as" in refused.content
    client.post(address, {"publish": "1", "reason": "first words"})
    card = ModelCard.objects.get()
    assert card.latest().answers == {
        "identity.name": {"status": "answered", "value": "CXR helper", "reason": "", "finding": None}
    }
    assert card.draft == {} and card.latest().reason == "first words"


def test_every_section_of_the_editor_opens(client):
    from assurance import regulation

    cast = make_cast()
    save_card(cast.version, answers=answers_for(), by=cast.actor("author"))
    client.force_login(cast.people["author"])
    for group in regulation.card_schema().groups:
        page = client.get(reverse("assurance:card_edit", args=[cast.version.pk]) + f"?section={group.id}")
        assert page.status_code == 200 and group.title.encode() in page.content


def test_who_may_not_write_the_card_is_refused(client):
    cast = make_cast()
    submit(cast)
    client.force_login(cast.people["assessor"])
    assert client.get(reverse("assurance:card_edit", args=[cast.version.pk])).status_code == 403


def test_a_newer_base_marks_every_descendant(client):
    cast = make_cast()
    author = cast.people["author"]
    owner = cast.submission.organisation
    foundation = ModelFactory(organisation=owner, kind="foundation")
    base = ModelVersionFactory(model=foundation, version="1")
    adapted = ModelVersionFactory(model=ModelFactory(organisation=owner, kind="adapted"), base=base)
    device = ModelVersionFactory(model=ModelFactory(organisation=owner), base=adapted)
    client.force_login(author)
    for version in (adapted, device):
        assert b"Base changed." not in client.get(reverse("assurance:version", args=[version.pk])).content
    newer = ModelVersionFactory(model=foundation, version="2")
    for version in (adapted, device):
        assert b"Base changed." in client.get(reverse("assurance:version", args=[version.pk])).content
    for version in (base, newer, cast.version):
        assert b"Base changed." not in client.get(reverse("assurance:version", args=[version.pk])).content


def test_a_hospital_writes_its_own_layer_and_the_developers_stays_as_it_is(client):
    cast = make_cast()
    save_card(cast.version, answers=answers_for(), by=cast.actor("author"))
    slug = cast.submission.deployments.get().slug
    address = reverse("assurance:card_edit", args=[cast.version.pk]) + f"?deployment={slug}&section=performance"
    client.force_login(cast.people["qa"])
    assert b"Local validity" in client.get(address).content
    sent = {"field": "performance.local", "status": "answered", "deployment": slug,
            "value": "metric: sensitivity\nvalue: 0.91\ndataset: our films"}  # fmt: skip
    assert b"Saved" in client.post(address, sent, headers={"HX-Request": "true"}).content
    client.post(address, {"publish": "1", "reason": "local check", "deployment": slug})
    local = ModelCard.objects.get(layer="local").latest()
    assert local.answers["performance.local"]["value"] == [
        {"metric": "sensitivity", "value": 0.91, "dataset": "our films"}
    ]
    assert ModelCard.objects.get(layer="developer").latest().number == 1
    page = client.get(reverse("assurance:card", args=[cast.version.pk]) + f"?deployment={slug}")
    assert b"our films" in page.content
    client.force_login(cast.people["author"])
    assert client.get(address).status_code == 403


def test_a_card_prints_the_finding_it_cites_and_marks_it_when_it_is_superseded(client):
    from assurance.services.findings import store_finding
    from tests.sandbox import finding

    cast = make_cast()
    deployment = cast.submission.deployments.get()
    first = finding(value=0.93)
    record = store_finding(first, family="performance", deployment=deployment)
    measure = [{"metric": "auroc", "dataset": "set B", "finding": record.digest}]
    save_card(cast.version, answers=answers_for(**{"performance.internal": answered(measure)}), by=cast.actor("author"))
    client.force_login(cast.people["author"])
    address = pages_of(cast)["card"]
    page = client.get(address).content.decode()
    assert "0.93" in page and "0.910 to 0.950 (95 %, delong)" in page and record.evidence_id in page
    assert "was superseded" not in page
    later = store_finding(finding(value=0.8, seed=2).placed(window=first.window), family="performance",
                          deployment=deployment)  # fmt: skip
    page = client.get(address).content.decode()
    assert f"was superseded by {later.evidence_id}" in page and "0.93" in page


def test_the_difference_of_two_revisions_and_the_changes_since_signed_open_with_rows(client):
    cast = make_cast()
    submit(cast)
    absent = {"status": "not_available", "reason": "withdrawn by the desk"}
    changed = answers_for(**{"use.benefit": absent, "use.workflow": answered("Before the reader.")})
    save_card(cast.version, answers=changed, by=cast.actor("author"))
    client.force_login(cast.people["author"])
    page = client.get(pages_of(cast)["difference"]).content
    assert b"withdrawn by the desk" in page and b"Before the reader." in page and b"2 fields differ" in page
    page = client.get(pages_of(cast)["changes"]).content
    assert b"Approvals to renew" in page and b"Author: authorship" in page
    page = client.get(pages_of(cast)["coverage"] + "?framework=eu-ai-act&state=stale").content
    assert b"the card changed after revision 1" in page


@pytest.mark.parametrize("form", ["json", "chai-v01", "chai-v02", "fhir", "hugging-face", "monai"])
def test_a_card_goes_out_in_every_format_and_what_it_cannot_hold_is_counted(client, form):
    cast = make_cast()
    save_card(cast.version, answers=answers_for(), by=cast.actor("author"))
    client.force_login(cast.people["author"])
    address = reverse("assurance:card_export", args=[cast.version.pk, form])
    answer = client.get(address)
    assert answer.status_code == 200 and "attachment" in answer["Content-Disposition"]
    left = client.get(address + "?left_out=1").json()["left_out"]
    assert len(left) == int(answer["X-Vigil-Left-Out"]) and bool(left) == (form in ("chai-v01", "chai-v02", "monai"))


def test_a_bad_card_is_refused_on_the_page_in_one_sentence_and_nothing_is_written(client):
    from django.core.files.uploadedfile import SimpleUploadedFile

    from records.models import AuditEvent

    cast = make_cast()
    client.force_login(cast.people["author"])
    address = reverse("assurance:card_import", args=[cast.version.pk])
    head, laugh = b'<?xml version="1.0"?>', b'<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>'
    xxe = b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    bad = {
        head + xxe + b"<AppliedModelCard>&x;</AppliedModelCard>": b"declares a document type or entities",
        head + laugh + b"<AppliedModelCard>&b;</AppliedModelCard>": b"declares a document type or entities",
        head + b"<AppliedModelCard><BasicInfo></AppliedModelCard>": b"is not well-formed XML",
        head + b"<other/>": b"give a CHAI AppliedModelCard 0.1 or 0.2",
        head + b"<a>" + b" " * (2 * 2**20) + b"</a>": b"a card has at most 2097152",
        b"": b"empty",
    }
    events = AuditEvent.objects.count()
    for content, told in bad.items():
        page = client.post(address, {"file": SimpleUploadedFile("card.xml", content)}, follow=True).content
        assert told in page and b"root:" not in page, told
        assert not ModelCard.objects.filter(draft_at__isnull=False).exists()
    assert AuditEvent.objects.count() == events
    assert b"no file was given" in client.post(address, follow=True).content


def test_a_regulator_reads_a_filed_document_through_row_security_and_the_look_is_in_the_trail(
    client, settings, tmp_path
):
    from django.conf import settings as live
    from django.core.files.storage import default_storage
    from django.db import connection

    from assurance.services.artefacts import store_artefact
    from records.models import AuditEvent

    cast = make_cast()
    content = b"risk file of the test"
    artefact = store_artefact(
        content, organisation_id=cast.submission.organisation_id, media_type="text/plain", description="Risk file"
    )
    item = cast.add("benefit_risk", artefact=artefact)
    submit(cast)
    address = reverse("assurance:evidence_file", args=[cast.submission.pk, item.pk])
    client.force_login(cast.people["assessor"])
    other = make_cast()
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL ROLE {live.DATABASE_APP_ROLE}")
        page = client.get(pages_of(cast)["submission"]).content.decode()
        assert address in page
        assert client.get(address).content == content
        client.force_login(other.people["assessor"])
        assert client.get(address).status_code == 404
        cursor.execute("RESET ROLE")
    event = AuditEvent.objects.get(action="evidence.open")
    assert event.person_id == cast.people["assessor"].pk and event.new["sha256"] == artefact.sha256
    default_storage.delete(f"{artefact.sha256[:2]}/{artefact.sha256[2:4]}/{artefact.sha256}")
