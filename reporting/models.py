"""Dossiers: what was frozen, for whom, and the files that came of it."""

import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts.models import Organisation
from assurance.models import Artefact, Deployment, Job, ModelVersion, Submission
from assurance.models.fields import sha256_field


class Dossier(models.Model):
    """One dossier. Once its contents are frozen they never change: the database refuses it; a later one supersedes."""

    class Audience(models.TextChoices):
        PUBLIC = "public", "Public"
        REGULATOR = "regulator", "Competent authority"
        INTERNAL = "internal", "Internal"

    class Status(models.TextChoices):
        BUILDING = "building", "Being built"
        READY = "ready", "Ready"
        FAILED = "failed", "Failed"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    number = models.CharField(max_length=20, unique=True)
    title = models.CharField(max_length=200)
    purpose = models.CharField(max_length=200)
    audience = models.CharField(max_length=10, choices=Audience)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="dossiers")
    submission = models.ForeignKey(Submission, on_delete=models.PROTECT, null=True, related_name="dossiers")
    deployment = models.ForeignKey(Deployment, on_delete=models.PROTECT, null=True, related_name="dossiers")
    version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="dossiers")
    start = models.DateTimeField()
    end = models.DateTimeField()
    status = models.CharField(max_length=10, choices=Status, default=Status.BUILDING)
    salt = models.CharField(max_length=64, help_text="keeps hashes of removed parts from being guessed")
    contents = models.ForeignKey(Artefact, on_delete=models.PROTECT, null=True, related_name="+")
    contents_sha256 = sha256_field(blank=True)
    frozen_at = models.DateTimeField(null=True)
    files = models.JSONField(default=dict, help_text="path in the bundle -> SHA-256 of the artefact")
    unsigned_pdf = models.ForeignKey(Artefact, on_delete=models.PROTECT, null=True, related_name="+")
    pdf = models.ForeignKey(Artefact, on_delete=models.PROTECT, null=True, related_name="+")
    bundle = models.ForeignKey(Artefact, on_delete=models.PROTECT, null=True, related_name="+")
    pages = models.PositiveIntegerField(default=0)
    verification = models.JSONField(null=True, help_text="what the verifier said of the bundle when it was made")
    signers = models.JSONField(default=list, help_text="who signed the PDF, in order")
    supersedes = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="superseded_by"
    )
    job = models.ForeignKey(Job, on_delete=models.SET_NULL, null=True, related_name="+")
    requested_by = models.CharField(max_length=200)
    requested_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("-requested_at",)
        constraints = (models.CheckConstraint(condition=Q(start__lt=models.F("end")), name="dossier_period_is_a_span"),)

    def __str__(self) -> str:
        return self.number

    def deployments(self) -> list[Deployment]:
        """What was watched: the one deployment, or those of the submission."""
        if self.deployment is not None:
            return [self.deployment]
        if self.submission is None:
            return []
        return list(self.submission.deployments.select_related("organisation", "version__model").order_by("name"))

    def organisations(self) -> dict[str, set[int]]:
        """Its makers own it; a public one and one for the authority are shared with the parties it concerns."""
        shared: dict[str, set[int]] = {"owner": {self.organisation_id}}
        if self.audience == self.Audience.INTERNAL:
            return shared
        shared["developer"] = {self.version.model.organisation_id}
        shared["hospital"] = {deployment.organisation_id for deployment in self.deployments()}
        if self.submission is not None and self.submission.seen_by_regulator:
            shared["regulator"] = {self.submission.regulator_id}
        return shared
