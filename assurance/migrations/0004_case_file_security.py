from django.db import migrations

from accounts.row_security import protect, unprotect


class Migration(migrations.Migration):
    dependencies = [("assurance", "0003_case_files")]
    operations = [migrations.RunSQL(protect("assurance_casefile"), unprotect("assurance_casefile"))]
