"""Mergeable summaries: of each day, and of the reference set that days are compared with."""

from django.db import models
from django.utils import timezone

from assurance.models import Deployment, ModelVersion
from assurance.models.fields import sha256_field
from monitoring.models.batches import PredictionBatch


class DayState(models.Model):
    """The state of one signal on one day (UTC) at one site under one version.

    A row that a window has read (``used_at``) is never changed: late records make a new revision, the old one stays.
    """

    deployment = models.ForeignKey(Deployment, on_delete=models.PROTECT, related_name="day_states")
    version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="+")
    site = models.CharField(max_length=60)
    day = models.DateField()
    signal = models.CharField(max_length=120)
    content = models.BinaryField()
    n = models.PositiveIntegerField()
    missing = models.PositiveIntegerField(default=0)
    revision = models.PositiveIntegerField(default=1)
    current = models.BooleanField(default=True)
    changed_at = models.DateTimeField(default=timezone.now)
    used_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("deployment", "version", "site", "day", "signal"),
                condition=models.Q(current=True),
                name="one_current_day_state",
            ),
        )
        indexes = (models.Index(fields=("deployment", "version", "day")),)

    def __str__(self) -> str:
        return f"{self.signal} at {self.site} on {self.day}"


class ChunkStates(models.Model):
    """Day states of one chunk of a delivery, until the whole delivery is in and they join their days."""

    batch = models.ForeignKey(PredictionBatch, on_delete=models.CASCADE, related_name="chunk_states")
    chunk = models.PositiveIntegerField()
    content = models.BinaryField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("batch", "chunk"), name="one_chunk_of_states"),)

    def __str__(self) -> str:
        return f"chunk {self.chunk}"


class ReferenceSet(models.Model):
    """The frozen cases that windows are compared with. Its hash covers every state; a new set replaces, never edits."""

    deployment = models.ForeignKey(Deployment, on_delete=models.PROTECT, related_name="reference_sets")
    version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="+")
    name = models.CharField(max_length=120)
    description = models.TextField()
    n_cases = models.PositiveIntegerField()
    sha256 = sha256_field()
    frozen_at = models.DateTimeField(default=timezone.now)
    replaced_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-frozen_at",)
        constraints = (
            models.UniqueConstraint(
                fields=("deployment", "version"), condition=models.Q(replaced_at=None), name="one_reference_in_force"
            ),
        )

    def __str__(self) -> str:
        return f"{self.name} ({self.n_cases} cases, {self.sha256[:8]})"


class ReferenceState(models.Model):
    """The state of one signal over all cases of a reference set."""

    reference = models.ForeignKey(ReferenceSet, on_delete=models.PROTECT, related_name="states")
    signal = models.CharField(max_length=120)
    content = models.BinaryField()
    n = models.PositiveIntegerField()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("reference", "signal"), name="one_reference_state"),)

    def __str__(self) -> str:
        return self.signal
