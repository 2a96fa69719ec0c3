"""What the application's own database role may do: everything but change what is written once."""

from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings
from django.db import connections
from psycopg import sql


def grant_to_app_role(sender: AppConfig, using: str, **_: Any) -> None:
    """After each migration: rows for the application's role, no update, delete or truncate on append-only tables.

    A model is append-only when it says ``append_only = True``. Runs as the owner of the tables; the application's role
    is made without login when it is missing, so that privileges can be tested everywhere.
    """
    role = sql.Identifier(settings.DATABASE_APP_ROLE)
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT rolname = current_user FROM pg_roles WHERE rolname = %s", [settings.DATABASE_APP_ROLE])
        found = cursor.fetchone()
        if found and found[0]:
            return  # a single-role installation: triggers alone protect the trail
        if not found:
            cursor.execute(sql.SQL("CREATE ROLE {}").format(role))
        for statement in (
            "GRANT USAGE ON SCHEMA public TO {}",
            "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {}",
            "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {}",
        ):
            cursor.execute(sql.SQL(statement).format(role))
        existing = set(connections[using].introspection.table_names(cursor))
        for model in apps.get_models():
            if getattr(model, "append_only", False) and model._meta.db_table in existing:
                table = sql.Identifier(model._meta.db_table)
                cursor.execute(sql.SQL("REVOKE UPDATE, DELETE, TRUNCATE ON {} FROM {}").format(table, role))
