"""Two indexes that hold what charts and the fleet draw, so that two years on a page read no Finding's content."""

from django.db import migrations

CURRENT = "WHERE superseded_by_id IS NULL AND window_start IS NOT NULL"
STREAMS = f"""
CREATE INDEX assurance_finding_streams ON assurance_findingrecord
    (deployment_id, stratum, quantity, signal, window_start) INCLUDE (window_end, value, state, n_cases, family) {CURRENT}
"""
WINDOWS = f"""
CREATE INDEX assurance_finding_windows ON assurance_findingrecord
    (deployment_id, window_end, quantity) INCLUDE (stratum, signal, value, state, family) {CURRENT}
"""


class Migration(migrations.Migration):
    dependencies = [("monitoring", "0004_case_places_and_revisions"), ("assurance", "0001_initial")]
    operations = [
        migrations.RunSQL(STREAMS, "DROP INDEX assurance_finding_streams"),
        migrations.RunSQL(WINDOWS, "DROP INDEX assurance_finding_windows"),
    ]
