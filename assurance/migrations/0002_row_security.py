from django.db import migrations

from accounts.row_security import protect, unprotect


class Migration(migrations.Migration):
    dependencies = [("assurance", "0001_initial"), ("accounts", "0002_row_security")]
    operations = [migrations.RunSQL(protect("assurance_artefact"), unprotect("assurance_artefact"))]
