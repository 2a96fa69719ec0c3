"""The audit trail in the browser: who reads what, filters, files that verify alone, and no way to write."""

import json

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from accounts import services
from accounts.models import Organisation, Role
from accounts.signing import sign
from records.actor import SYSTEM, Actor
from records.models import AuditEvent
from records.services import checkpoint_now, record_event, seal_events
from records.verify_file import first_problem
from tests.factories import DeploymentFactory, MembershipFactory, OrganisationFactory
from tests.integration.test_signing import PASSWORD, signer  # noqa: F401

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_keys(tmp_path, settings):
    settings.KEY_DIR = tmp_path / "keys"


@pytest.fixture
def deployment():
    found = DeploymentFactory(name="Chest at North")
    by = Actor(MembershipFactory(organisation=found.organisation).person_id, found.organisation_id, "hospital_qa")
    record_event(action="plan.set", subject=found, by=by, old={"psi": 0.1}, new={"psi": 0.2}, reason="too many alarms")
    return found


def member(organisation, role):
    return MembershipFactory(organisation=organisation, role=role).person


def page(client, person, query=""):
    client.force_login(person)
    return client.get(f"/audit{query}")


def test_a_lead_reads_their_hospitals_trail_with_old_new_and_reason(client, deployment):
    text = page(client, member(deployment.organisation, Role.HOSPITAL_QA)).content.decode()
    for part in ("plan.set", "Chest at North", "0.1", "0.2", "too many alarms", "Hospital QA lead"):
        assert part in text


def test_what_the_system_does_to_an_object_is_in_its_owners_trail(client, deployment):
    record_event(action="alarm.open", subject=deployment, by=SYSTEM)
    assert "alarm.open" in page(client, member(deployment.organisation, Role.AUDITOR)).content.decode()


@pytest.mark.parametrize(("who", "status", "sees"), [
    ("reader", 403, False), ("stranger", 200, False), ("developer", 200, False), ("regulator", 200, False),
    ("auditor", 200, True), ("operator auditor", 200, True), ("operator", 200, False),
])  # fmt: skip
def test_who_reads_the_values_of_a_hospitals_event(client, deployment, who, status, sees):
    person = {
        "reader": lambda: member(deployment.organisation, Role.HOSPITAL_READER),
        "stranger": lambda: member(OrganisationFactory(), Role.HOSPITAL_QA),
        "developer": lambda: member(deployment.version.model.organisation, Role.DEVELOPER_AUTHOR),
        "regulator": lambda: member(OrganisationFactory(kind="regulator"), Role.REGULATOR_ASSESSOR),
        "auditor": lambda: member(deployment.organisation, Role.AUDITOR),
        "operator auditor": lambda: member(OrganisationFactory(kind="operator"), Role.AUDITOR),
        "operator": lambda: member(OrganisationFactory(kind="operator"), Role.PLATFORM_ADMIN),
    }[who]()
    answer = page(client, person)
    assert answer.status_code == status
    assert ("too many alarms" in answer.content.decode()) is sees
    if who == "operator":  # sees that it happened, not what was written; the search tells no more
        assert "plan.set" in answer.content.decode()
        assert "Chest at North" not in answer.content.decode()
        assert page(client, person, "?q=too+many").context["rows"] == []
        assert client.get(f"/audit/objects/assurance.deployment/{deployment.pk}.json").status_code == 404


def test_a_regulator_reads_from_the_grant_on_and_the_look_is_on_record(client, deployment):
    assessor = MembershipFactory(organisation__kind="regulator", role=Role.REGULATOR_ASSESSOR)
    services.grant_access(deployment, to=assessor.organisation, by=SYSTEM)
    record_event(action="plan.freeze", subject=deployment, by=SYSTEM)
    client.force_login(assessor.person)
    text = client.get(f"/audit/objects/assurance.deployment/{deployment.pk}").content.decode()
    assert "plan.freeze" in text
    assert "too many alarms" not in text  # written before it was submitted
    view = AuditEvent.objects.get(action="object.view")
    assert (view.person_id, view.subject_id) == (assessor.person_id, str(deployment.pk))


def test_filters_and_pages(client, deployment, monkeypatch):
    monkeypatch.setattr("accounts.views.trail.PAGE", 2)
    for number in range(5):
        record_event(action="test.step", subject=deployment, by=SYSTEM, new={"number": f"step-{number}"})
    lead = member(deployment.organisation, Role.HOSPITAL_QA)
    first = page(client, lead, "?action=test.step")
    assert [row["event"].new["number"] for row in first.context["rows"]] == ["step-4", "step-3"]
    second = page(client, lead, f"?action=test.step&before={first.context['older']}")
    assert [row["event"].new["number"] for row in second.context["rows"]] == ["step-2", "step-1"]
    back = page(client, lead, f"?action=test.step&after={second.context['newer']}")
    assert [row["event"].new["number"] for row in back.context["rows"]] == ["step-4", "step-3"]
    assert page(client, lead, "?until=2020-01-01").context["rows"] == []
    assert page(client, lead, "?since=not-a-day&before=x&kind=assurance.deployment").status_code == 200
    found = page(client, lead, "?q=Chest+at+North&kind=assurance.deployment&action=plan.set").context["rows"]
    assert len(found) == 1


def test_the_file_of_one_object_verifies_alone_and_one_byte_breaks_it(client, deployment, tmp_path, capsys):
    record_event(action="test.other", subject=OrganisationFactory(), by=SYSTEM)
    record_event(action="plan.freeze", subject=deployment, by=SYSTEM)
    client.force_login(member(deployment.organisation, Role.AUDITOR))
    answer = client.get(f"/audit/objects/assurance.deployment/{deployment.pk}.json")
    assert "attachment" in answer.headers["Content-Disposition"]
    file = tmp_path / "trail.json"
    file.write_bytes(answer.content)
    call_command("audit", "verify", file=file)
    assert "holds" in capsys.readouterr().out
    document = json.loads(answer.content)
    assert [link["event"] and link["event"]["action"] for link in document["links"]] == [
        "plan.set",
        None,
        "plan.freeze",
    ]
    file.write_bytes(answer.content.replace(b"too many alarms", b"too few alarms!"))
    with pytest.raises(CommandError, match="the event at link 1 was changed"):
        call_command("audit", "verify", file=file)
    assert "trusted" in first_problem(document, trusted_key_id="0" * 64)


@pytest.mark.parametrize(("change", "says"), [
    (lambda d: d["links"].pop(1), "link 2 is missing"), (lambda d: d["links"].pop(), "no signed checkpoint closes"),
    (lambda d: d["checkpoints"][0].update(at="2020-01-01T00:00:00+00:00"), "signature of the checkpoint"),
    (lambda d: d["links"][0].update(sha256="0" * 64), "does not follow"), (lambda d: d.pop("links"), "not complete"),
    (lambda d: d.update(kind="other"), "is not known"),
])  # fmt: skip
def test_each_change_of_an_exported_file_is_named(client, deployment, change, says):
    for _ in range(2):
        record_event(action="test.step", subject=deployment, by=SYSTEM)
    client.force_login(member(deployment.organisation, Role.AUDITOR))
    document = json.loads(client.get(f"/audit/objects/assurance.deployment/{deployment.pk}.json").content)
    assert first_problem(document) == ""
    change(document)
    assert says in first_problem(document)


def test_a_long_trail_is_cut_between_checkpoints_and_still_verifies(client, deployment, monkeypatch):
    monkeypatch.setattr("records.export.CONTIGUOUS", 2)
    other = OrganisationFactory()
    for _ in range(3):
        checkpoint_now()
        for _ in range(3):
            record_event(action="test.other", subject=other, by=SYSTEM)
    record_event(action="plan.freeze", subject=deployment, by=SYSTEM)
    client.force_login(member(deployment.organisation, Role.AUDITOR))
    document = json.loads(client.get(f"/audit/objects/assurance.deployment/{deployment.pk}.json").content)
    assert [link["position"] for link in document["links"]] == [1, 11]
    assert first_problem(document) == ""
    document["links"][0]["event"]["reason"] = "other"
    assert "changed" in first_problem(document)


def test_a_signature_file_verifies_alone(client, signer):  # noqa: F811
    signature = sign(
        signer.deployment, content_sha256="a" * 64, meaning="approval", person=signer, password=PASSWORD,
        code=signer.code(),
    )  # fmt: skip
    client.force_login(signer)
    document = json.loads(client.get(f"/audit/signatures/{signature.pk}.json").content)
    assert first_problem(document) == ""
    assert document["certificate_pem"].startswith("-----BEGIN CERTIFICATE-----")
    document["statement"]["meaning"] = "review"
    assert "does not fit" in first_problem(document)
    client.force_login(member(OrganisationFactory(), Role.HOSPITAL_QA))
    assert client.get(f"/audit/signatures/{signature.pk}.json").status_code == 404


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_no_web_request_changes_the_trail(client, deployment, method):
    seal_events()
    before = list(AuditEvent.objects.order_by("pk").values_list("pk", "sha256"))
    event = before[0][0]
    client.force_login(member(Organisation.objects.get(pk=deployment.organisation_id), Role.HOSPITAL_QA))
    for address in ("/audit", f"/audit/events/{event}", f"/audit/objects/assurance.deployment/{deployment.pk}",
                    f"/audit/objects/assurance.deployment/{deployment.pk}.json"):  # fmt: skip
        assert getattr(client, method)(address, {"reason": "other", "_method": "DELETE"}).status_code == 405
    assert list(AuditEvent.objects.order_by("pk").values_list("pk", "sha256")) == before
