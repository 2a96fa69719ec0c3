from django.db import migrations

from accounts.row_security import FUNCTION


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]
    operations = [migrations.RunSQL(FUNCTION, "DROP FUNCTION vigil_may_see(bigint)")]
