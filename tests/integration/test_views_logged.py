"""Each look of a regulator at a submission, its card and its API answer is on record; a colleague's is not."""

import pytest
from django.urls import reverse

from accounts.models import Role
from records.models import AuditEvent
from tests.factories import MembershipFactory, OrganisationFactory
from tests.sandbox import make_cast, submit

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_keys(tmp_path, settings):
    settings.KEY_DIR = tmp_path / "keys"


def views():
    return list(AuditEvent.objects.filter(action="object.view").values_list("person_id", "subject_kind", "new__what"))


def test_who_looked_at_what_was_submitted(client):
    cast = make_cast()
    submit(cast)
    pages = [
        (reverse("assurance:submission", args=[cast.submission.pk]), "assurance.submission", "assurance:submission"),
        (reverse("assurance:card", args=[cast.version.pk]), "assurance.modelversion", "assurance:card"),
    ]
    client.force_login(cast.people["author"])
    for address, _, _ in pages:
        assert client.get(address).status_code == 200
    assert views() == []
    client.force_login(cast.people["intake"])
    for address, _, _ in pages:
        assert client.get(address).status_code == 200
    assert views() == [(cast.people["intake"].pk, kind, what) for _, kind, what in pages]
    event = AuditEvent.objects.filter(action="object.view").first()
    assert event.owner_id == cast.submission.organisation_id  # so the developer reads in their trail who looked
    assert event.role == Role.REGULATOR_INTAKE


def test_another_regulator_sees_nothing_and_so_nothing_is_logged(client):
    cast = make_cast()
    submit(cast)
    stranger = MembershipFactory(organisation=OrganisationFactory(kind="regulator"), role=Role.REGULATOR_DECIDER).person
    client.force_login(stranger)
    assert client.get(reverse("assurance:submission", args=[cast.submission.pk])).status_code == 404
    assert views() == []
