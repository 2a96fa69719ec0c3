"""Rows that never change: versions, card revisions, steps of a submission, answers, judgements, frozen plans."""

from django.db import migrations

from records.append_only import FUNCTION, protect, unprotect

APPEND_ONLY = ("assurance_cardrevision", "assurance_statechange", "assurance_answer", "assurance_requirementjudgement")

# A version may never be changed or deleted: what ran is what its hashes say.
VERSION = """
CREATE OR REPLACE FUNCTION vigil_version_is_immutable() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'version % is immutable: % refused, register a new version', OLD.version, TG_OP
        USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER immutable_version BEFORE UPDATE OR DELETE ON assurance_modelversion
FOR EACH ROW EXECUTE FUNCTION vigil_version_is_immutable();
"""
NO_VERSION = "DROP TRIGGER immutable_version ON assurance_modelversion; DROP FUNCTION vigil_version_is_immutable();"

# A plan's content never changes; freezing it is the one permitted update.
PLAN = """
CREATE OR REPLACE FUNCTION vigil_plan_is_frozen() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' OR OLD.frozen_at IS NOT NULL
        OR NEW.content IS DISTINCT FROM OLD.content OR NEW.sha256 IS DISTINCT FROM OLD.sha256
        OR NEW.revision IS DISTINCT FROM OLD.revision OR NEW.submission_id IS DISTINCT FROM OLD.submission_id THEN
        RAISE EXCEPTION 'plan revision % cannot change: save a new revision', OLD.revision
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER frozen_plan BEFORE UPDATE OR DELETE ON assurance_sandboxplan
FOR EACH ROW EXECUTE FUNCTION vigil_plan_is_frozen();
"""
NO_PLAN = "DROP TRIGGER frozen_plan ON assurance_sandboxplan; DROP FUNCTION vigil_plan_is_frozen();"


class Migration(migrations.Migration):
    dependencies = [("assurance", "0005_cards_and_submissions"), ("records", "0002_append_only")]
    operations = [
        migrations.RunSQL(FUNCTION, migrations.RunSQL.noop),
        *(migrations.RunSQL(protect(table), unprotect(table)) for table in APPEND_ONLY),
        migrations.RunSQL(VERSION, NO_VERSION),
        migrations.RunSQL(PLAN, NO_PLAN),
    ]
