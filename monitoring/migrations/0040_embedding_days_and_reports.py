"""Embeddings as day states, and reports of windows made by another tool."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('assurance', '0006_frozen_rows'),
        ('monitoring', '0030_chunk_states'),
    ]

    operations = [
        migrations.CreateModel(
            name='ReferenceEmbedding',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('ruler', models.BinaryField()),
                ('blocks', models.BinaryField(help_text='MessagePack list of [sums, moments], one pair for each day of the set')),
                ('n', models.PositiveIntegerField()),
                ('width', models.PositiveIntegerField()),
                ('reference', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='embedding', to='monitoring.referenceset')),
            ],
        ),
        migrations.CreateModel(
            name='EmbeddingDay',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('site', models.CharField(max_length=60)),
                ('day', models.DateField()),
                ('sums', models.BinaryField()),
                ('moments', models.BinaryField()),
                ('n', models.PositiveIntegerField()),
                ('missing', models.PositiveIntegerField(default=0)),
                ('revision', models.PositiveIntegerField(default=1)),
                ('current', models.BooleanField(default=True)),
                ('changed_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('used_at', models.DateTimeField(null=True)),
                ('deployment', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='embedding_days', to='assurance.deployment')),
                ('reference', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='embedding_days', to='monitoring.referenceset')),
                ('version', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='assurance.modelversion')),
            ],
            options={
                'constraints': [models.UniqueConstraint(condition=models.Q(('current', True)), fields=('reference', 'site', 'day'), name='one_current_embedding_day')],
            },
        ),
        migrations.CreateModel(
            name='WindowReport',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('start', models.DateField()),
                ('end', models.DateField(help_text='first day after the window')),
                ('tool', models.CharField(max_length=60)),
                ('opinions', models.JSONField(help_text='for each signal: their method, value, threshold and verdict, ours, and why')),
                ('n_cases', models.PositiveIntegerField()),
                ('made_at', models.DateTimeField(default=django.utils.timezone.now)),
                ('artefact', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='assurance.artefact')),
                ('deployment', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='window_reports', to='assurance.deployment')),
                ('version', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='assurance.modelversion')),
            ],
            options={
                'ordering': ('-made_at',),
                'indexes': [models.Index(fields=['deployment', 'start', 'end'], name='monitoring_report_window')],
            },
        ),
    ]
