"""A regulator sees a submission and its dossiers from the receipt to a last day, and each look is on record."""

from datetime import timedelta

import pytest
from django.core.exceptions import PermissionDenied
from django.urls import reverse
from django.utils import timezone

from accounts.permissions import Action, may, require
from assurance.evidence.errors import InvalidInput
from assurance.models import Submission
from assurance.selectors.submissions import visible_submissions
from assurance.services.due_steps import take_due_steps
from assurance.services.regulator_access import default_end, end_regulator_access
from records.models import AuditEvent
from reporting.models import Dossier
from reporting.selectors.dossiers import visible_dossiers
from tests.sandbox import make_cast, submit

pytestmark = pytest.mark.django_db


@pytest.fixture
def cast(tmp_path, settings):
    settings.KEY_DIR = tmp_path / "keys"
    made = make_cast()
    submit(made)
    return made


@pytest.fixture
def withdrawn(cast):
    cast.move("t28", "approver", "The product line ends.")
    return cast


def dossier_of(cast):
    return Dossier.objects.create(
        number="D-1", title="Evidence", audience="regulator", organisation=cast.submission.organisation,
        submission=cast.submission, version=cast.version, start=timezone.now() - timedelta(days=30),
        end=timezone.now(), purpose="post-market", salt="00",
    )  # fmt: skip


def sees(cast, who):
    submission = Submission.objects.get(pk=cast.submission.pk)
    person = cast.people[who]
    return submission in visible_submissions(person), may(person, Action.SEE, submission)


def test_access_begins_with_the_receipt_and_ends_on_the_last_day(withdrawn, client):
    cast, dossier = withdrawn, dossier_of(withdrawn)
    assert sees(cast, "decider") == (True, True)
    assert list(visible_dossiers(cast.people["decider"])) == [dossier]
    until = timezone.now() + timedelta(days=30)
    end_regulator_access(cast.submission, until=until, by=cast.actor("decider"), reason="The file is closed.")
    assert sees(cast, "decider") == (True, True)
    Submission.objects.filter(pk=cast.submission.pk).update(regulator_until=timezone.now() - timedelta(seconds=1))
    assert sees(cast, "decider") == (False, False)
    assert sees(cast, "author") == (True, True)
    assert list(visible_dossiers(cast.people["decider"])) == []
    with pytest.raises(PermissionDenied):
        require(cast.people["decider"], Action.SEE, Dossier.objects.get(pk=dossier.pk))
    client.force_login(cast.people["decider"])
    address = reverse("assurance:submission", args=[cast.submission.pk])
    assert client.get(address).status_code == 404
    assert client.get(reverse("reporting:dossier", args=[dossier.pk])).status_code == 404


def test_a_file_under_decision_keeps_its_reader(cast):
    tomorrow = timezone.now() + timedelta(days=1)
    with pytest.raises(InvalidInput, match="access ends only after exited"):
        end_regulator_access(cast.submission, until=tomorrow, by=cast.actor("decider"), reason="Enough.")


@pytest.mark.parametrize(("days", "reason", "words"), [(-1, "Closed.", "is past"), (1, "  ", "reason is empty")])
def test_a_date_in_the_past_or_no_reason_changes_nothing(withdrawn, days, reason, words):
    with pytest.raises(InvalidInput, match=words):
        end_regulator_access(
            withdrawn.submission, until=timezone.now() + timedelta(days=days), by=withdrawn.actor("decider"),
            reason=reason,
        )  # fmt: skip
    assert Submission.objects.get(pk=withdrawn.submission.pk).regulator_until is None


@pytest.mark.parametrize("who", ["decider", "assessor", "approver", "author", "qa"])
def test_only_the_decider_sets_the_last_day_on_the_page(withdrawn, client, who):
    client.force_login(withdrawn.people[who])
    address = reverse("assurance:submission_act", args=[withdrawn.submission.pk])
    answer = client.post(address, {"act": "end_access", "until": "2099-01-31", "reason": "The file is closed."})
    assert answer.status_code == 302
    until = Submission.objects.get(pk=withdrawn.submission.pk).regulator_until
    assert (f"{until:%Y-%m-%d}" if until else None) == ("2099-01-31" if who == "decider" else None)
    events = AuditEvent.objects.filter(action="submission.regulator_access")
    assert [event.reason for event in events] == (["The file is closed."] if who == "decider" else [])


def test_the_archive_sets_the_last_day_by_the_retention_rule(withdrawn):
    Submission.objects.filter(pk=withdrawn.submission.pk).update(
        state_since=timezone.now() - timedelta(days=400)
    )  # the appeal time is over
    take_due_steps()
    archived = Submission.objects.get(pk=withdrawn.submission.pk)
    assert archived.state == "archived"
    assert archived.regulator_until == default_end(archived.state_since)
    assert round((archived.regulator_until - archived.state_since).days / 365.25) == 10


def test_a_look_at_a_dossier_is_on_record(cast, client):
    dossier = dossier_of(cast)
    address = reverse("reporting:dossier", args=[dossier.pk])
    for who, looks in (("author", 0), ("assessor", 1), ("decider", 2)):
        client.force_login(cast.people[who])
        assert client.get(address).status_code == 200
        seen = AuditEvent.objects.filter(action="object.view", subject_kind="reporting.dossier")
        assert seen.count() == looks
    assert set(seen.values_list("owner_id", flat=True)) == {dossier.organisation_id}
