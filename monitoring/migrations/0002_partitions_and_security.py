"""The partitioned table of predictions, who may see patient-level rows, and notes that nobody edits."""

from django.db import migrations

from accounts.row_security import protect, unprotect
from records import append_only

TABLE = """
CREATE TABLE monitoring_prediction (
    deployment_id uuid NOT NULL,
    organisation_id bigint NOT NULL,
    version_id bigint NOT NULL,
    batch_id uuid NOT NULL,
    "case" varchar(32) NOT NULL,
    patient varchar(32) NOT NULL DEFAULT '',
    study_time timestamptz NOT NULL,
    received_at timestamptz NOT NULL,
    site varchar(60) NOT NULL,
    score double precision,
    decision varchar(60) NOT NULL DEFAULT '',
    numbers double precision[] NOT NULL,
    levels text[] NOT NULL,
    embedding bytea,
    PRIMARY KEY (deployment_id, "case", version_id, study_time)
) PARTITION BY RANGE (study_time);
CREATE INDEX monitoring_prediction_batch ON monitoring_prediction (batch_id);
CREATE INDEX monitoring_prediction_time ON monitoring_prediction (deployment_id, study_time);
"""
# Partitions are made by the owner's function, since the application's role may not change tables. Each gets the
# tenant rule too, so that nobody walks around the parent table.
MONTH = """
CREATE FUNCTION vigil_prediction_month(month date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    first date := date_trunc('month', month)::date;
    name text := 'monitoring_prediction_' || to_char(month, 'YYYYMM');
BEGIN
    IF to_regclass(name) IS NOT NULL THEN RETURN; END IF;
    PERFORM pg_advisory_xact_lock(7283002);
    IF to_regclass(name) IS NOT NULL THEN RETURN; END IF;
    EXECUTE format('CREATE TABLE %I PARTITION OF monitoring_prediction FOR VALUES FROM (%L) TO (%L)',
        name, first::timestamp AT TIME ZONE 'UTC', (first + interval '1 month') AT TIME ZONE 'UTC');
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
    EXECUTE format('CREATE POLICY tenant ON %I USING (vigil_may_see(organisation_id))
        WITH CHECK (vigil_may_see(organisation_id))', name);
END $$;
"""
PATIENT_LEVEL = ("monitoring_prediction", "monitoring_label", "monitoring_reject")


class Migration(migrations.Migration):
    dependencies = [
        ("monitoring", "0001_initial"),
        ("accounts", "0002_row_security"),
        ("records", "0002_append_only"),
    ]
    operations = [
        migrations.RunSQL(TABLE, "DROP TABLE monitoring_prediction"),
        migrations.RunSQL(MONTH, "DROP FUNCTION vigil_prediction_month(date)"),
        *(migrations.RunSQL(protect(table), unprotect(table)) for table in PATIENT_LEVEL),
        migrations.RunSQL(
            append_only.protect("monitoring_alarmnote"), append_only.unprotect("monitoring_alarmnote")
        ),
    ]
