"""What every test may use: a database server that this run starts itself, and the shared data when they are there."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def database_server() -> Iterator[None]:
    """PostgreSQL for this run: the one of ``DATABASE_URL``, else the embedded one under ``var/tests``."""
    if not settings.OWN_DATABASE:
        yield
        return
    from config.embedded import EmbeddedPostgres

    server = EmbeddedPostgres()
    started = not server.running()
    if started:
        server.start()
    yield
    if started:
        server.stop()


@pytest.fixture(scope="session")
def django_db_modify_db_settings(database_server: None) -> None:
    from config.celery import app

    app.loader.import_default_modules()  # background work runs at once, so every task must be known here


@pytest.fixture(scope="session", autouse=True)
def append_only_tables_can_be_emptied_between_tests() -> Iterator[None]:
    """Tests with real transactions end with a TRUNCATE, which the triggers refuse even to the owner, as they should."""
    from django.db.backends.postgresql.operations import DatabaseOperations

    flush = DatabaseOperations.execute_sql_flush

    def without_triggers(self: DatabaseOperations, sql_list: list[str]) -> None:
        quiet = ["SET session_replication_role = replica", *sql_list, "SET session_replication_role = origin"]
        flush(self, quiet)

    DatabaseOperations.execute_sql_flush = without_triggers
    yield
    DatabaseOperations.execute_sql_flush = flush


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real images, weights and logs; a test that asks for it is skipped where there is none."""
    folder = Path(os.environ.get("VIGIL_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"needs the shared data: {folder} is not there (set VIGIL_SHARED_DATA)")
    return folder
