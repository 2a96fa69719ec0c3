from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("explainability", "0002_row_security")]
    operations = [
        migrations.AddField(
            "explanation", "code",
            models.CharField(blank=True, help_text="the refusal's code, for programs", max_length=40),
        ),
        migrations.AddField("explanation", "claimed_at", models.DateTimeField(editable=False, null=True)),
        migrations.AlterField(
            "explanation", "status",
            models.CharField(
                choices=[("queued", "Queued"), ("running", "Running"), ("done", "Done"), ("failed", "Failed")],
                default="queued", max_length=8,
            ),
        ),
    ]
