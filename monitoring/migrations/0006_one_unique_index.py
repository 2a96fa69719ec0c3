"""The table of case places is the one guard against doubles; the partitions' own key said the same again."""

from django.db import migrations

DROP = "ALTER TABLE monitoring_prediction DROP CONSTRAINT monitoring_prediction_pkey"
BACK = 'ALTER TABLE monitoring_prediction ADD PRIMARY KEY (deployment_id, "case", version_id, study_time)'


class Migration(migrations.Migration):
    dependencies = [("monitoring", "0005_study_objects")]
    operations = [migrations.RunSQL(DROP, BACK)]
