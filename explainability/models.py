"""Stored explanations: one method on one case of one version, with its report card or the reason why there is none."""

import uuid

from django.db import models
from django.utils import timezone

from accounts.models import Organisation
from assurance.models import Artefact, Deployment, Job, ModelVersion
from assurance.models.fields import sha256_field


class Explanation(models.Model):
    """Asked for once for each case × version × method × parameters; its outcome is stored whatever it is."""

    class Status(models.TextChoices):
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="+")
    deployment = models.ForeignKey(Deployment, on_delete=models.PROTECT, related_name="explanations")
    version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="explanations")
    case = models.CharField(max_length=64)
    method = models.SlugField(max_length=60)
    parameters = models.JSONField(default=dict)
    parameters_sha256 = sha256_field()
    origin = models.CharField(max_length=120, blank=True, help_text="alarm:<id>, person or plan:<id>")
    job = models.ForeignKey(Job, on_delete=models.SET_NULL, null=True, related_name="+")
    status = models.CharField(max_length=8, choices=Status, default=Status.QUEUED)
    reason = models.TextField(blank=True)
    code = models.CharField(max_length=40, blank=True, help_text="the refusal's code, for programs")
    claimed_at = models.DateTimeField(null=True, editable=False)
    map_file = models.ForeignKey(Artefact, on_delete=models.PROTECT, null=True, related_name="+")
    overlay = models.ForeignKey(Artefact, on_delete=models.PROTECT, null=True, related_name="+")
    facts = models.JSONField(default=dict)
    report_card = models.JSONField(default=list, help_text="contents of Findings, one for each check")
    statements = models.JSONField(default=list, help_text="perturbation facts in words with their numbers")
    barred_reason = models.TextField(blank=True, help_text="why this map may not enter a dossier")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-created_at",)
        constraints = (
            models.UniqueConstraint(
                fields=("deployment", "version", "case", "method", "parameters_sha256"), name="one_explanation_each"
            ),
        )

    def __str__(self) -> str:
        return f"{self.method} of {self.case[:12]}"
