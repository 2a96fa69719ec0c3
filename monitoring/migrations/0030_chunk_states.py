"""Day states that wait until their delivery is whole."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [("monitoring", "0006_one_unique_index")]

    operations = [
        migrations.CreateModel(
            name="ChunkStates",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("chunk", models.PositiveIntegerField()),
                ("content", models.BinaryField()),
                ("batch", models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="chunk_states", to="monitoring.predictionbatch")),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("batch", "chunk"), name="one_chunk_of_states")],
            },
        ),
    ]
