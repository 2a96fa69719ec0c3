"""Which organisations' patient-level rows the current database session may see.

PostgreSQL's row security asks ``vigil_may_see(organisation_id)`` for every row of a protected table. A session that
said nothing sees nothing, so a forgotten filter leaks nothing. Every door says who looks: the middleware for pages and
the API, the job runner for background work.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from django.db import connection

EVERYTHING = "*"

FUNCTION = """
CREATE OR REPLACE FUNCTION vigil_may_see(organisation bigint) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT coalesce(current_setting('vigil.tenants', true), '') = '*'
        OR organisation::text = ANY (string_to_array(coalesce(current_setting('vigil.tenants', true), ''), ','))
$$;
"""


def protect(table: str, *, column: str = "organisation_id") -> str:
    """SQL for a migration: only rows of visible organisations can be read, written or deleted in ``table``."""
    return (
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;"
        f"CREATE POLICY tenant ON {table} USING (vigil_may_see({column})) WITH CHECK (vigil_may_see({column}));"
    )


def unprotect(table: str) -> str:
    return f"DROP POLICY tenant ON {table}; ALTER TABLE {table} DISABLE ROW LEVEL SECURITY;"


def see_only(organisation_ids: Iterable[int]) -> None:
    """From now on this session sees the rows of these organisations and no others."""
    _set(",".join(str(int(key)) for key in organisation_ids))


def see_everything() -> None:
    """For work of the platform itself (retention, recovery of jobs). Never for a person's request."""
    _set(EVERYTHING)


@contextmanager
def seeing(organisation_ids: Iterable[int] | str) -> Iterator[None]:
    """See these organisations (or ``EVERYTHING``) within the block, and what was seen before after it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('vigil.tenants', true)")
        before = cursor.fetchone()[0] or ""
    _set(organisation_ids if isinstance(organisation_ids, str) else ",".join(str(int(key)) for key in organisation_ids))
    try:
        yield
    finally:
        if not connection.needs_rollback:
            _set(before)


def _set(text: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('vigil.tenants', %s, false)", [text])
