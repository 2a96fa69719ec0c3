"""A forgotten filter leaks nothing: the database itself hides other hospitals' rows."""

import pytest
from django.conf import settings
from django.db import DatabaseError, connection, transaction

from accounts import row_security
from assurance.models import Artefact
from tests.factories import OrganisationFactory


@pytest.mark.django_db
def test_a_session_sees_only_the_rows_of_its_organisations():
    mine, theirs = OrganisationFactory(), OrganisationFactory()
    for organisation in (mine, theirs):
        Artefact.objects.create(organisation=organisation, sha256="a" * 64, media_type="text/plain", size=1)
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL ROLE {settings.DATABASE_APP_ROLE}")

        def seen() -> list[int]:
            cursor.execute("SELECT organisation_id FROM assurance_artefact")
            return [row[0] for row in cursor.fetchall()]

        assert seen() == []  # who said nothing sees nothing
        with row_security.seeing([mine.pk]):
            assert seen() == [mine.pk]
        assert seen() == []
        with row_security.seeing(row_security.EVERYTHING):
            assert sorted(seen()) == sorted([mine.pk, theirs.pk])
        cursor.execute("RESET ROLE")


@pytest.mark.django_db
def test_a_session_cannot_write_rows_of_another_organisation():
    mine, theirs = OrganisationFactory(), OrganisationFactory()
    with pytest.raises(DatabaseError, match="row-level security"), transaction.atomic():  # noqa: SIM117
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL ROLE {settings.DATABASE_APP_ROLE}")
            with row_security.seeing([mine.pk]):
                Artefact.objects.create(organisation=theirs, sha256="b" * 64, media_type="text/plain", size=1)
