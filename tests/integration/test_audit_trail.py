"""The trail: written with the change, never altered, one unbroken chain whatever happens at the same time."""

import threading

import pytest
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import DatabaseError, connection, transaction

from records import keys
from records.actor import SYSTEM
from records.chain import FIRST, event_sha256, link_sha256
from records.export import export_trail
from records.models import AuditEvent, AuditLink, Checkpoint
from records.services import checkpoint_now, record_event, seal_events
from records.verify import verify_trail
from tests.factories import OrganisationFactory


@pytest.fixture(autouse=True)
def own_keys(tmp_path, settings):
    settings.KEY_DIR = tmp_path / "keys"


def events(count: int):
    subject = OrganisationFactory()
    for number in range(count):
        record_event(action="test.change", subject=subject, by=SYSTEM, old={"n": number}, new={"n": number + 1})
    return subject


@pytest.mark.django_db
def test_every_event_gets_its_place_and_the_trail_holds():
    events(5)
    assert seal_events() == 5
    checkpoint_now()
    report = verify_trail()
    assert (report.events, report.links, report.checkpoints, report.broken) == (5, 5, 1, "")


@pytest.mark.django_db
def test_an_event_of_a_change_that_failed_is_not_there():
    with pytest.raises(RuntimeError), transaction.atomic():
        events(1)
        raise RuntimeError
    assert AuditEvent.objects.count() == 0


@pytest.mark.django_db
@pytest.mark.parametrize("statement", [
    statement.format(table)
    for table in ("auditevent", "auditlink", "checkpoint", "signature")
    for statement in (
        "UPDATE records_{0} SET sha256 = ''" if table != "signature" else "UPDATE records_{0} SET seal = ''",
        "DELETE FROM records_{0}", "TRUNCATE records_{0} CASCADE",
    )
])  # fmt: skip
@pytest.mark.parametrize("role", ["owner", "application"])
def test_neither_the_owner_nor_the_application_can_change_what_is_written(statement, role):
    events(2)
    checkpoint_now()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO records_signature (subject_kind, subject_id, subject_name, content_sha256, person_id,"
            " printed_name, role, meaning, signed_at, time_zone, key_id, seal) "
            "VALUES ('a', '1', '', '', 1, '', '', '', now(), 'UTC', '', '')"
        )
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # so that nothing but the protection stands in the way
    with pytest.raises(DatabaseError, match=r"append-only|permission denied"), transaction.atomic():  # noqa: SIM117
        with connection.cursor() as cursor:
            if role == "application":
                cursor.execute(f"SET LOCAL ROLE {settings.DATABASE_APP_ROLE}")
            cursor.execute(statement)
    assert AuditEvent.objects.count() == 2


def tamper(statement: str) -> None:
    """What somebody with the keys of the database machine could do: switch the triggers off first."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(statement)
        cursor.execute("SET LOCAL session_replication_role = origin")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("statement", "says"),
    [
        (
            "UPDATE records_auditevent SET reason = 'other' WHERE id = (SELECT min(id) + 1 FROM records_auditevent)",
            "at link 2 was changed",
        ),
        ("DELETE FROM records_auditlink WHERE position = 2", "link 2 is missing"),
        ("UPDATE records_auditlink SET previous = repeat('0', 64) WHERE position = 3", "link 3 does not follow"),
        ("DELETE FROM records_auditlink WHERE position > 2", "the chain ends at 2"),
        ("UPDATE records_checkpoint SET at = at + interval '1 day'", "checkpoint at link 4"),
    ],
)  # fmt: skip
def test_tampering_is_found_and_the_first_broken_place_named(statement, says):
    events(4)
    checkpoint_now()
    tamper(statement)
    assert says in verify_trail().broken
    with pytest.raises(CommandError, match="broken"):
        call_command("audit", "verify")


@pytest.mark.django_db(transaction=True)
def test_sixteen_writers_at_once_leave_one_unbroken_chain():
    subject = OrganisationFactory()

    def write() -> None:
        try:
            for _ in range(10):
                with transaction.atomic():
                    record_event(
                        action="test.change", subject=subject, by=SYSTEM, new={"thread": threading.get_ident()}
                    )
        finally:
            connection.close()

    writers = [threading.Thread(target=write) for _ in range(16)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    seal_events()
    report = verify_trail()
    assert (report.links, report.open_events, report.broken) == (160, 0, "")
    tamper_free = AuditLink.objects.order_by("position").values_list("position", flat=True)
    assert list(tamper_free) == list(range(1, 161))


@pytest.mark.django_db
def test_the_trail_of_one_object_verifies_alone():
    first = events(2)
    events(3)  # somebody else's
    record_event(action="test.change", subject=first, by=SYSTEM, new={"n": 9})
    exported = export_trail([first])
    assert [link["event"] is None for link in exported["links"]] == [False, False, True, True, True, False]
    previous = exported["previous"]
    assert previous == FIRST
    for link in exported["links"]:
        if link["event"]:
            assert event_sha256(link["event"]) == link["event_sha256"]
        assert link_sha256(previous=previous, position=link["position"], event=link["event_sha256"]) == link["sha256"]
        previous = link["sha256"]
    last = exported["checkpoints"][-1]
    assert last["sha256"] == previous
    statement = {name: last[name] for name in ("position", "sha256", "at", "key_id")}
    assert keys.seal_holds(statement, last["signature"])
    assert Checkpoint.objects.count() == 1
