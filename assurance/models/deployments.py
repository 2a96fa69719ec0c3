"""Where a version runs."""

import uuid

from django.db import models
from django.utils import timezone

from accounts.models import Organisation, Site
from assurance.models.registry import ModelVersion


class Deployment(models.Model):
    """One model in use at the sites of one hospital organisation. Every prediction row belongs to one deployment."""

    class Status(models.TextChoices):
        RUNNING = "running", "Running"
        PAUSED = "paused", "Paused"
        RETIRED = "retired", "Retired"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    slug = models.SlugField(max_length=80, unique=True)
    name = models.CharField(max_length=200)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="deployments")
    version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="deployments")
    sites = models.ManyToManyField(Site, related_name="deployments")
    status = models.CharField(max_length=10, choices=Status, default=Status.RUNNING)
    started_at = models.DateTimeField(default=timezone.now)
    note = models.TextField(blank=True, help_text="What a reader of every date and chart of this deployment must know.")

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name

    def organisations(self) -> dict[str, set[int]]:
        """Owned by the hospital, shared with the developer of the version that runs."""
        return {"owner": {self.organisation_id}, "developer": {self.version.model.organisation_id}}
