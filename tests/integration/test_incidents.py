"""Incidents: from an alarm to reports with their clocks, on pages and by the API."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from allauth.mfa.totp.internal import auth as totp
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.utils import timezone

from accounts import services as people
from accounts.models import Role
from accounts.permissions import Action, require
from accounts.tokens import issue_token
from assurance.evidence.errors import InvalidInput
from records.actor import SYSTEM
from records.models import AuditEvent, Signature
from tests.factories import DeploymentFactory, MembershipFactory
from vigilance.models import Incident, ReportingClock
from vigilance.selectors import incidents_for
from vigilance.services import change_kind, close_incident, open_incident, report_sent, set_due_date, waive_clock
from vigilance.views.words import clock_state, remaining, span

pytestmark = pytest.mark.django_db
LONG = "four plain words together"
AWARE = datetime(2026, 11, 2, 9, tzinfo=UTC)


@pytest.fixture(autouse=True)
def own_keys(tmp_path, settings):
    settings.KEY_DIR = tmp_path / "keys"
    cache.clear()


@pytest.fixture
def deployment():
    return DeploymentFactory()


def at_hospital(deployment, role=Role.SAFETY_OFFICER):
    return MembershipFactory(organisation=deployment.organisation, role=role).person


def at_developer(deployment, role=Role.DEVELOPER_APPROVER):
    return MembershipFactory(organisation=deployment.version.model.organisation, role=role).person


def opened(deployment, kind="death", *, by=SYSTEM, **terms):
    standard = {"title": "Missed pneumothorax", "description": "A finding was not shown.", "aware_at": AWARE}
    return open_incident(deployment=deployment, event_kind=kind, by=by, **(standard | terms))


def test_a_death_starts_the_clocks_of_device_law_and_not_the_acts_own(deployment):
    incident = opened(deployment)
    due = {clock.duty: clock.due_at.date().isoformat() for clock in incident.clocks.all()}
    assert due == {
        "dl-eu-mdr-death": "2026-11-12",
        "dl-uk-death": "2026-11-12",
        "dl-us-mfr-30": "2026-12-02",
        "dl-us-fac-death": "2026-11-17",
    }  # ten US working days without Veterans Day, 11 November
    assert "dl-eu-aia-death" in set(
        opened(deployment, is_device=False).clocks.values_list("duty", flat=True)
    )  # Article 73(10) spares devices only


def test_the_day_ends_at_midnight_where_the_duty_holder_is(deployment):
    clock = opened(deployment, "serious_incident_other", time_zone="Europe/Berlin").clocks.get(duty="dl-eu-mdr-general")
    assert clock.due_at.astimezone(UTC).replace(microsecond=0) == datetime(2026, 11, 17, 22, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize(("change", "code"), [
    ({"event_kind": "sadness"}, "unknown_event_kind"), ({"aware_at": datetime(2026, 11, 2)}, "no_time_zone"),
    ({"aware_at": timezone.now() + timedelta(days=1)}, "in_the_future"), ({"title": " "}, "reason_missing"),
    ({"frameworks": ["moon-law"]}, "unknown_framework"), ({"frameworks": []}, "unknown_framework"),
    ({"time_zone": "Mars/Base"}, "unknown_time_zone"), ({"alarm_id": 999_999}, "alarm_elsewhere"),
])  # fmt: skip
def test_bad_input_is_refused_and_opens_nothing(deployment, change, code):
    terms = {"deployment": deployment, "event_kind": "death", "title": "t", "description": "d", "aware_at": AWARE,
             "by": SYSTEM}  # fmt: skip
    with pytest.raises(InvalidInput) as refusal:
        open_incident(**(terms | change))
    assert refusal.value.code == code
    assert not Incident.objects.exists()


def test_a_late_report_needs_its_reason_and_one_report_stops_one_clock(deployment):
    incident = opened(deployment)
    clock = incident.clocks.get(duty="dl-eu-mdr-death")
    late = clock.due_at + timedelta(minutes=1)
    with pytest.raises(InvalidInput, match="give late_reason"):
        report_sent(clock, at=late, reference="R1", by=SYSTEM)
    report_sent(clock, at=late, reference="R1", late_reason="the case was unclear", by=SYSTEM)
    with pytest.raises(InvalidInput, match="no longer runs"):
        report_sent(clock, at=late, reference="R2", late_reason="x", by=SYSTEM)
    event = AuditEvent.objects.get(action="incident.report")
    assert (event.reason, event.new["late"], event.owner_id) == (
        "the case was unclear", True, deployment.organisation_id,
    )  # fmt: skip


def test_each_side_reports_its_own_duties(deployment):
    incident = opened(deployment)
    maker, facility = incident.clocks.get(duty="dl-eu-mdr-death"), incident.clocks.get(duty="dl-us-fac-death")
    hospital = require(at_hospital(deployment), Action.HANDLE_INCIDENT, incident)
    developer = require(at_developer(deployment), Action.HANDLE_INCIDENT, incident)
    terms = {"at": AWARE + timedelta(days=1), "reference": "R"}
    with pytest.raises(PermissionDenied, match="manufacturer"):
        report_sent(maker, by=hospital, **terms)
    with pytest.raises(PermissionDenied, match="user facility"):
        report_sent(facility, by=developer, **terms)
    assert report_sent(maker, by=developer, **terms).reference == "R"
    assert report_sent(facility, by=hospital, **terms).reference == "R"


def test_an_incident_closes_when_no_clock_runs(deployment):
    incident = opened(deployment)
    with pytest.raises(InvalidInput, match="dl-uk-death"):
        close_incident(incident, reason="done", by=SYSTEM)
    for clock in incident.clocks.all():
        with pytest.raises(InvalidInput, match="reason is empty"):
            waive_clock(clock, reason=" ", by=SYSTEM)
        waive_clock(clock, reason="no causal link", by=SYSTEM)
    assert close_incident(incident, reason="judged unrelated", by=SYSTEM).status == "closed"
    with pytest.raises(InvalidInput, match="was closed"):
        close_incident(incident, reason="again", by=SYSTEM)
    with pytest.raises(InvalidInput, match="was closed"):
        change_kind(incident, event_kind="malfunction", reason="x", by=SYSTEM)


def test_an_action_is_planned_done_with_its_effect_and_holds_the_incident_open(client, deployment):
    incident = opened(deployment)
    for clock in incident.clocks.all():
        waive_clock(clock, reason="no causal link", by=SYSTEM)
    client.force_login(at_hospital(deployment))
    plan = {"kind": "corrective", "text": "Raise the threshold", "responsible": "Radiology", "due_on": "2020-01-01"}
    base = f"/incidents/{incident.number}"
    assert "lies in the past" in client.post(f"{base}/actions", plan).content.decode()
    tomorrow = (timezone.now() + timedelta(days=1)).date().isoformat()
    assert client.post(f"{base}/actions", plan | {"due_on": tomorrow}).status_code == 302
    with pytest.raises(InvalidInput, match="actions are still open"):
        close_incident(incident, reason="done", by=SYSTEM)
    action = incident.actions.get()
    assert client.post(f"{base}/actions/{action.pk}/done", {"effect": " "}).status_code == 422
    assert client.post(f"{base}/actions/{action.pk}/done", {"effect": "sensitivity is back at 0.94"}).status_code == 302
    assert "sensitivity is back at 0.94" in client.get(base).content.decode()
    assert client.post(f"{base}/actions/{action.pk}/done", {"effect": "again"}).status_code == 422
    assert close_incident(incident, reason="done", by=SYSTEM).status == "closed"
    assert client.post(f"{base}/actions", plan | {"due_on": tomorrow}).status_code == 422
    client.force_login(at_hospital(deployment, Role.HOSPITAL_READER))
    assert client.post(f"{base}/actions", plan).status_code == 403
    assert list(AuditEvent.objects.filter(action__startswith="incident.action").values_list("action", flat=True)) == [
        "incident.action", "incident.action_done",
    ]  # fmt: skip


def test_a_new_kind_adds_clocks_from_the_first_awareness_and_keeps_the_old(deployment):
    incident = opened(deployment, "serious_injury")
    before = set(incident.clocks.values_list("duty", flat=True))
    change_kind(incident, event_kind="death", reason="the patient died", by=SYSTEM)
    after = incident.clocks.all()
    assert before < {clock.duty for clock in after}
    assert after.get(duty="dl-eu-mdr-death").due_at.date().isoformat() == "2026-11-12"


def test_a_date_is_set_only_where_the_law_names_none(deployment):
    trend = opened(deployment, "trend").clocks.get(duty="dl-eu-mdr-trend")
    assert trend.due_at is None
    due = AWARE + timedelta(days=20)
    assert set_due_date(trend, due_at=due, reason="agreed with the authority", by=SYSTEM).due_at == due
    with pytest.raises(InvalidInput, match="fixes the date"):
        set_due_date(opened(deployment).clocks.first(), due_at=due, reason="x", by=SYSTEM)


def test_a_duty_that_binds_later_is_shown_as_advice_and_starts_no_clock(client, deployment):
    incident = opened(deployment, "risk_found_by_deployer")
    assert not incident.clocks.exists()
    client.force_login(at_hospital(deployment))
    assert "binding from 2028-08-02" in client.get(f"/incidents/{incident.number}").content.decode()
    assert "binding from 2028-08-02" in client.get("/incidents/new").content.decode()


def test_numbers_go_up_by_one(deployment):
    assert [opened(deployment).number for _ in range(3)] == [1, 2, 3]


def test_what_a_countdown_says(deployment):
    clock = opened(deployment, "malfunction").clocks.get(duty="dl-us-mfr-30-mal")
    due = clock.due_at
    assert [clock_state(clock, now=due - left) for left in (
        timedelta(days=20), timedelta(days=6), timedelta(hours=3), timedelta(hours=-3),
    )] == ["ok", "watch", "act", "act"]  # fmt: skip
    assert remaining(clock, now=due - timedelta(days=3, hours=4, minutes=59)) == "3 d 4 h left"
    assert remaining(clock, now=due + timedelta(minutes=12)) == "overdue by 12 min"
    assert span(timedelta(hours=5, minutes=10)) == "5 h 10 min"


def test_a_dossier_gets_the_incidents_of_its_deployments_and_period(deployment):
    inside = opened(deployment)
    opened(deployment, aware_at=AWARE - timedelta(days=40))
    opened(DeploymentFactory())
    found = incidents_for(deployment, start=AWARE - timedelta(days=1), end=AWARE + timedelta(days=1))
    assert list(found) == [inside]
    assert list(incidents_for(deployment, end=AWARE)) != [inside]
    assert incidents_for(deployment).count() == 2


# Pages


def test_an_officer_opens_signs_a_report_and_closes_on_the_pages(client, deployment):
    officer = at_hospital(deployment)
    officer.set_password(LONG)
    officer.time_zone = "Europe/Berlin"
    officer.save()
    secret = people.enrol_totp(officer)
    client.force_login(officer)
    assert "What each kind starts" in client.get("/incidents/new").content.decode()
    made = client.post("/incidents/new", {
        "deployment": deployment.slug, "event_kind": "death", "title": "Missed finding", "description": "As seen.",
        "aware_at": "2026-11-02T09:00", "time_zone": "Europe/Berlin", "frameworks": ["cfr-803"], "is_device": "on",
    })  # fmt: skip
    assert made.headers["Location"] == "/incidents/1"
    first = client.get("/incidents/1").content.decode()
    assert "overdue by" in first
    assert "2026-11-02 09:00 Europe/Berlin" in first
    assert "Missed finding" in client.get("/incidents").content.decode()
    clock = Incident.objects.get().clocks.get(duty="dl-us-fac-death")
    address = f"/incidents/1/clocks/{clock.pk}/report"
    berlin = timezone.now().astimezone(ZoneInfo("Europe/Berlin"))
    assert f'value="{berlin:%Y-%m-%dT%H:}' in client.get(address).content.decode()
    terms = {"reported_at": "2026-11-20T10:00", "reference": "MW-1", "password": LONG, "code": "000000"}
    assert "give late_reason" in client.post(address, terms).content.decode()
    assert not Signature.objects.exists()
    terms["late_reason"] = "the autopsy came late"
    assert "is wrong" in client.post(address, terms).content.decode()
    code = totp.format_hotp_value(totp.hotp_value(secret, next(totp.yield_hotp_counters_from_time())))
    assert client.post(address, terms | {"code": code}).status_code == 302
    clock.refresh_from_db()
    signature = Signature.objects.get(pk=clock.signature_id)
    assert (signature.meaning, signature.printed_name, signature.time_zone) == (
        "responsibility", officer.name, "Europe/Berlin",
    )  # fmt: skip
    assert clock.reported_at == datetime(2026, 11, 20, 9, tzinfo=UTC)
    assert "covers this content" in client.get("/incidents/1").content.decode()
    ReportingClock.objects.filter(pk=clock.pk).update(reference="MW-2")
    assert "no longer covers" in client.get("/incidents/1").content.decode()
    ReportingClock.objects.filter(pk=clock.pk).update(reference="MW-1")
    page = client.get("/incidents/1").content.decode()
    assert "late" in page
    assert "the autopsy came late" in page
    refused = client.post("/incidents/1/close", {"reason": "done"})
    assert (refused.status_code, "dl-us-mfr-30" in refused.content.decode()) == (422, True)


@pytest.mark.parametrize(("who", "sees", "opens", "handles"), [
    ("officer", 200, 200, 200), ("lead", 200, 200, 403), ("reader", 200, 403, 403), ("developer", 200, 403, 403),
    ("approver", 200, 403, 200), ("stranger", 404, 403, 404), ("auditor", 200, 403, 403),
])  # fmt: skip
def test_who_sees_opens_and_handles(client, deployment, who, sees, opens, handles):
    incident = opened(deployment)
    person = {
        "officer": lambda: at_hospital(deployment), "lead": lambda: at_hospital(deployment, Role.HOSPITAL_QA),
        "reader": lambda: at_hospital(deployment, Role.HOSPITAL_READER),
        "auditor": lambda: at_hospital(deployment, Role.AUDITOR),
        "developer": lambda: at_developer(deployment, Role.DEVELOPER_AUTHOR),
        "approver": lambda: at_developer(deployment),
        "stranger": lambda: MembershipFactory(role=Role.HOSPITAL_READER).person,
    }[who]()  # fmt: skip
    client.force_login(person)
    assert client.get(f"/incidents/{incident.number}").status_code == sees
    assert client.get("/incidents/new").status_code == opens
    clock = incident.clocks.get(duty="dl-us-fac-death")
    assert client.get(f"/incidents/{incident.number}/clocks/{clock.pk}/report").status_code == handles


def test_a_regulator_sees_a_granted_incident_and_the_look_is_on_record(client, deployment):
    incident = opened(deployment)
    assessor = MembershipFactory(organisation__kind="regulator", role=Role.REGULATOR_ASSESSOR)
    client.force_login(assessor.person)
    assert client.get("/incidents/1").status_code == 404
    people.grant_access(incident, to=assessor.organisation, by=SYSTEM, ends_at=timezone.now() + timedelta(days=1))
    assert client.get("/incidents/1").status_code == 200
    assert AuditEvent.objects.get(action="object.view").person_id == assessor.person_id
    assert client.post("/incidents/1/close", {"reason": "x"}).status_code == 403


# API


def test_the_api_opens_lists_and_shows(client, deployment):
    lead = at_hospital(deployment, Role.HOSPITAL_QA)
    _, secret = issue_token(organisation=deployment.organisation, person=lead, name="i", verbs=["see", "open_incident"])
    headers = {"Authorization": f"Bearer {secret}"}
    body = {"event_kind": "malfunction", "title": "t", "description": "d", "aware_at": "2026-11-02T09:00:00Z"}
    address = f"/api/v1/deployments/{deployment.pk}/incidents"
    made = client.post(address, body, content_type="application/json", headers=headers)
    assert made.status_code == 201
    assert [clock["duty"] for clock in made.json()["clocks"]] == ["dl-us-mfr-30-mal"]
    assert client.get(address, headers=headers).json()[0]["number"] == 1
    assert client.get(f"/api/v1/incidents/{made.json()['id']}", headers=headers).json()["status"] == "open"
    late = client.post(
        address, body | {"aware_at": "2026-11-02T09:00:00"}, content_type="application/json", headers=headers
    )
    assert (late.status_code, late.json()["code"]) == (422, "no_time_zone")
    other = DeploymentFactory()
    assert client.get(f"/api/v1/deployments/{other.pk}/incidents", headers=headers).status_code == 404
    assert client.get(address).status_code == 401
    _, blind = issue_token(organisation=deployment.organisation, person=lead, name="s", verbs=["send_predictions"])
    assert client.get(address, headers={"Authorization": f"Bearer {blind}"}).status_code == 403
