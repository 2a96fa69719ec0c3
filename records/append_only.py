"""SQL that makes tables append-only, for everybody and for the owner of the tables too."""

FUNCTION = """
CREATE OR REPLACE FUNCTION vigil_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'insufficient_privilege';
END $$;
"""


def protect(table: str) -> str:
    return (
        f"CREATE TRIGGER append_only_rows BEFORE UPDATE OR DELETE ON {table} "
        f"FOR EACH ROW EXECUTE FUNCTION vigil_append_only();"
        f"CREATE TRIGGER append_only_table BEFORE TRUNCATE ON {table} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION vigil_append_only();"
    )


def unprotect(table: str) -> str:
    return f"DROP TRIGGER append_only_rows ON {table}; DROP TRIGGER append_only_table ON {table};"
