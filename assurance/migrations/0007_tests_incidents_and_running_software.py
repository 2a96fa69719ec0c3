"""Tests in the real world, incidents on a submission's file, uploaded weights, and what a deployment says it runs."""

import assurance.models.fields
import django.db.models.deletion
import django.utils.timezone
import uuid
from django.conf import settings
from django.db import migrations, models

from records.append_only import protect, unprotect


class Migration(migrations.Migration):

    dependencies = [
        ('assurance', '0006_frozen_rows'),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name='RealWorldTest',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('number', models.PositiveIntegerField()),
                ('title', models.CharField(max_length=200)),
                ('content', models.JSONField(help_text='consent, oversight, reversal: in words, each needed')),
                ('sha256', models.CharField(max_length=64, validators=[assurance.models.fields.valid_sha256])),
                ('starts_on', models.DateField()),
                ('ends_on', models.DateField()),
                ('extended', models.BooleanField(default=False)),
                ('status', models.CharField(choices=[('planned', 'Planned'), ('approved', 'Approved'), ('registered', 'Registered'), ('running', 'Running'), ('suspended', 'Suspended'), ('ended', 'Ended'), ('outcome_notified', 'Outcome notified')], default='planned', max_length=16)),
                ('registration', models.CharField(blank=True, help_text='the number in the public register', max_length=120)),
                ('planned_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
            ],
            options={
                'ordering': ('submission', 'number'),
            },
        ),
        migrations.CreateModel(
            name='RealWorldTestStep',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('source', models.CharField(max_length=16)),
                ('target', models.CharField(max_length=16)),
                ('role', models.CharField(max_length=24)),
                ('reason', models.TextField(blank=True)),
                ('content_sha256', models.CharField(blank=True, max_length=64)),
                ('signature_id', models.BigIntegerField(null=True)),
                ('at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
            ],
            options={
                'ordering': ('test', 'pk'),
            },
        ),
        migrations.CreateModel(
            name='RunningSoftware',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('version', models.CharField(blank=True, max_length=80)),
                ('weights_sha256', models.CharField(blank=True, max_length=64)),
                ('container_digest', models.CharField(blank=True, max_length=80)),
                ('agrees', models.BooleanField()),
                ('differences', models.JSONField(default=list, help_text='[part, reported, registered] of what does not agree')),
                ('door', models.CharField(help_text='software: told by itself; predictions: stood in delivered rows', max_length=20)),
                ('times', models.PositiveIntegerField(default=1)),
                ('first_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('last_at', models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                'ordering': ('deployment', '-last_at'),
            },
        ),
        migrations.CreateModel(
            name='SubmissionIncident',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('incident_number', models.PositiveIntegerField()),
                ('event_kind', models.SlugField(max_length=60)),
                ('title', models.CharField(max_length=200)),
                ('status', models.CharField(choices=[('recorded', 'Recorded'), ('triaged', 'Triaged'), ('reportable', 'Reportable'), ('not_reportable', 'Not reportable'), ('reported_initial', 'First report sent'), ('reported_final', 'All reports sent'), ('closed', 'Closed')], default='recorded', max_length=16)),
                ('reason', models.TextField(blank=True, help_text='of the newest step')),
                ('aware_at', models.DateTimeField()),
                ('recorded_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('changed_at', models.DateTimeField(default=django.utils.timezone.now)),
            ],
            options={
                'ordering': ('submission', 'incident_number'),
            },
        ),
        migrations.CreateModel(
            name='VersionRequest',
            fields=[
                ('id', models.UUIDField(default=uuid.uuid4, editable=False, primary_key=True, serialize=False)),
                ('content', models.JSONField(help_text='what the form said, as the registry takes it')),
                ('file_name', models.CharField(max_length=200)),
                ('file_bytes', models.BigIntegerField()),
                ('status', models.CharField(choices=[('waiting', 'The file is being checked'), ('registered', 'Registered'), ('refused', 'Refused')], default='waiting', max_length=10)),
                ('reason', models.TextField(blank=True)),
                ('role', models.CharField(max_length=24)),
                ('asked_at', models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ('settled_at', models.DateTimeField(null=True)),
            ],
            options={
                'ordering': ('-asked_at',),
            },
        ),
        migrations.AddField(
            model_name='suspensionproposal',
            name='subject',
            field=models.CharField(blank=True, help_text='the threshold, report or deployment concerned', max_length=120),
        ),
        migrations.AddConstraint(
            model_name='suspensionproposal',
            constraint=models.UniqueConstraint(condition=models.Q(models.Q(('evidence_sha256', ''), _negated=True), models.Q(('subject', ''), _negated=True)), fields=('submission', 'trigger', 'subject', 'evidence_sha256'), name='one_proposal_per_evidence'),
        ),
        migrations.AddField(
            model_name='realworldtest',
            name='author',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='realworldtest',
            name='deployment',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='assurance.deployment'),
        ),
        migrations.AddField(
            model_name='realworldtest',
            name='plan',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='assurance.sandboxplan'),
        ),
        migrations.AddField(
            model_name='realworldtest',
            name='submission',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='real_world_tests', to='assurance.submission'),
        ),
        migrations.AddField(
            model_name='realworldteststep',
            name='person',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='realworldteststep',
            name='test',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='steps', to='assurance.realworldtest'),
        ),
        migrations.AddField(
            model_name='runningsoftware',
            name='deployment',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='running_software', to='assurance.deployment'),
        ),
        migrations.AddField(
            model_name='submissionincident',
            name='deployment',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to='assurance.deployment'),
        ),
        migrations.AddField(
            model_name='submissionincident',
            name='submission',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='incidents', to='assurance.submission'),
        ),
        migrations.AddField(
            model_name='versionrequest',
            name='author',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL),
        ),
        migrations.AddField(
            model_name='versionrequest',
            name='base',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='assurance.modelversion'),
        ),
        migrations.AddField(
            model_name='versionrequest',
            name='model',
            field=models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='version_requests', to='assurance.model'),
        ),
        migrations.AddField(
            model_name='versionrequest',
            name='result',
            field=models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='assurance.modelversion'),
        ),
        migrations.AddConstraint(
            model_name='realworldtest',
            constraint=models.UniqueConstraint(fields=('submission', 'number'), name='one_test_per_number'),
        ),
        migrations.AddConstraint(
            model_name='runningsoftware',
            constraint=models.UniqueConstraint(fields=('deployment', 'version', 'weights_sha256', 'container_digest'), name='one_running_software'),
        ),
        migrations.AddConstraint(
            model_name='submissionincident',
            constraint=models.UniqueConstraint(fields=('submission', 'incident_number'), name='one_incident_per_submission'),
        ),
        migrations.RunSQL(protect("assurance_realworldteststep"), unprotect("assurance_realworldteststep")),
    ]
