from django.db import migrations

from records.append_only import FUNCTION, protect, unprotect

TABLES = ("records_auditevent", "records_auditlink", "records_checkpoint", "records_signature")


class Migration(migrations.Migration):
    dependencies = [("records", "0001_initial")]
    operations = [
        migrations.RunSQL(FUNCTION, "DROP FUNCTION vigil_append_only()"),
        *(migrations.RunSQL(protect(table), unprotect(table)) for table in TABLES),
    ]
