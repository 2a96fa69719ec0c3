"""A forgotten filter leaks nothing: the database itself hides other hospitals' rows."""

import pytest
from django.conf import settings
from django.db import DatabaseError, connection, transaction

from accounts import row_security
from assurance.models import Artefact
from tests.factories import DeploymentFactory, OrganisationFactory


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


# Tables that hold rows or files of single patients. A new one has to be added here and to row security.
PATIENT_LEVEL = ("monitoring_prediction", "monitoring_label", "monitoring_reject", "assurance_artefact",
                 "assurance_casefile", "explainability_explanation")  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize("table", PATIENT_LEVEL)
def test_every_patient_level_table_is_under_row_security(table):
    with connection.cursor() as cursor:
        cursor.execute("SELECT relrowsecurity FROM pg_class WHERE relname = %s", [table])
        assert cursor.fetchone() == (True,)
        cursor.execute("SELECT qual, with_check FROM pg_policies WHERE tablename = %s", [table])
        policies = cursor.fetchall()
    assert policies
    assert all("vigil_may_see" in rule for policy in policies for rule in policy)


@pytest.mark.django_db
@pytest.mark.parametrize("by_partition", [False, True])
def test_raw_sql_under_a_hospitals_session_returns_no_prediction_of_another(by_partition):
    mine, theirs = DeploymentFactory(), DeploymentFactory()
    with connection.cursor() as cursor:
        cursor.execute("SELECT vigil_prediction_month('2026-03-01')")
        for deployment in (mine, theirs):
            cursor.execute(
                'INSERT INTO monitoring_prediction (deployment_id, organisation_id, version_id, batch_id, "case",'
                " study_time, received_at, site, numbers, levels) VALUES (%s, %s, %s, gen_random_uuid(), 'c',"
                " '2026-03-02', now(), 's', '{}', '{}')",
                [deployment.pk, deployment.organisation_id, deployment.version_id],
            )
        table = "monitoring_prediction_202603" if by_partition else "monitoring_prediction"
        cursor.execute(f"GRANT ALL ON {table} TO {settings.DATABASE_APP_ROLE}")  # as after the next migration
        cursor.execute(f"SET LOCAL ROLE {settings.DATABASE_APP_ROLE}")
        with row_security.seeing([mine.organisation_id]):
            cursor.execute(f"SELECT organisation_id FROM {table}")
            assert cursor.fetchall() == [(mine.organisation_id,)]
            cursor.execute(f"DELETE FROM {table} WHERE organisation_id = {theirs.organisation_id}")
            assert cursor.rowcount == 0
        cursor.execute(f"SELECT count(*) FROM {table}")
        assert cursor.fetchone() == (0,)
        cursor.execute("RESET ROLE")
