from django.db import migrations

FUNCTION = """
CREATE OR REPLACE FUNCTION vigil_frozen_dossier() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        RAISE EXCEPTION 'dossier % is kept: delete refused', OLD.number USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF OLD.contents_sha256 <> '' AND (NEW.contents_sha256, NEW.contents_id, NEW.number, NEW.audience, NEW.version_id, NEW.start, NEW."end", NEW.files)
        IS DISTINCT FROM (OLD.contents_sha256, OLD.contents_id, OLD.number, OLD.audience, OLD.version_id, OLD.start, OLD."end", OLD.files) THEN
        RAISE EXCEPTION 'dossier % is frozen: build a new one', OLD.number USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER frozen_dossier BEFORE UPDATE OR DELETE ON reporting_dossier
FOR EACH ROW EXECUTE FUNCTION vigil_frozen_dossier();
"""
REVERSE = "DROP TRIGGER frozen_dossier ON reporting_dossier; DROP FUNCTION vigil_frozen_dossier();"


class Migration(migrations.Migration):
    dependencies = [("reporting", "0001_initial")]
    operations = [migrations.RunSQL(FUNCTION, REVERSE)]
