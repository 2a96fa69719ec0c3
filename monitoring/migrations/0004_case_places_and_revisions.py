"""Where each case's current row stands, the rows that corrections replaced, and who may see these tables."""

from django.db import migrations

from accounts.row_security import protect, unprotect

REVISION = "ALTER TABLE monitoring_prediction ADD COLUMN revision smallint NOT NULL DEFAULT 1"
# One row for each case and version over all months: partitions can only be unique by themselves.
PLACES = """
CREATE TABLE monitoring_caseplace (
    deployment_id uuid NOT NULL,
    version_id bigint NOT NULL,
    organisation_id bigint NOT NULL,
    study_time timestamptz NOT NULL,
    "case" varchar(32) NOT NULL,
    PRIMARY KEY (deployment_id, version_id, "case")
);
INSERT INTO monitoring_caseplace (deployment_id, version_id, organisation_id, study_time, "case")
SELECT deployment_id, version_id, organisation_id, max(study_time), "case" FROM monitoring_prediction
GROUP BY deployment_id, version_id, organisation_id, "case";
"""
PAST = """
CREATE TABLE monitoring_pastprediction (
    LIKE monitoring_prediction,
    replaced_at timestamptz NOT NULL,
    replaced_by_id uuid NOT NULL,
    PRIMARY KEY (deployment_id, "case", version_id, revision)
);
"""
PATIENT_LEVEL = (
    "monitoring_caseplace", "monitoring_pastprediction", "monitoring_controlreading", "monitoring_pastlabel",
)


class Migration(migrations.Migration):
    dependencies = [("monitoring", "0003_intake")]
    operations = [
        migrations.RunSQL(REVISION, "ALTER TABLE monitoring_prediction DROP COLUMN revision"),
        migrations.RunSQL(PLACES, "DROP TABLE monitoring_caseplace"),
        migrations.RunSQL(PAST, "DROP TABLE monitoring_pastprediction"),
        *(migrations.RunSQL(protect(table), unprotect(table)) for table in PATIENT_LEVEL),
    ]
