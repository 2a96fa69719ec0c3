from django.db import migrations

from accounts.row_security import protect, unprotect


class Migration(migrations.Migration):
    dependencies = [("explainability", "0001_initial"), ("accounts", "0002_row_security")]
    operations = [migrations.RunSQL(protect("explainability_explanation"), unprotect("explainability_explanation"))]
