"""Mergeable summaries of embeddings: of each day, and of the reference set whose ruler they are measured in."""

from django.db import models
from django.utils import timezone

from assurance.models import Deployment, ModelVersion
from monitoring.models.states import ReferenceSet


class ReferenceEmbedding(models.Model):
    """The ruler of a reference set's embeddings, and its own days in it. Absent where the set has no embeddings."""

    reference = models.OneToOneField(ReferenceSet, on_delete=models.PROTECT, related_name="embedding")
    ruler = models.BinaryField()
    blocks = models.BinaryField(help_text="MessagePack list of [sums, moments], one pair for each day of the set")
    n = models.PositiveIntegerField()
    width = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"{self.n} embeddings {self.width} wide"


class EmbeddingDay(models.Model):
    """Random-feature sums and moments of one day (UTC) at one site, in the ruler of one reference set.

    A row that a window has read (``used_at``) is never changed: late records make a new revision, the old one stays.
    """

    deployment = models.ForeignKey(Deployment, on_delete=models.PROTECT, related_name="embedding_days")
    version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="+")
    reference = models.ForeignKey(ReferenceSet, on_delete=models.PROTECT, related_name="embedding_days")
    site = models.CharField(max_length=60)
    day = models.DateField()
    sums = models.BinaryField()
    moments = models.BinaryField()
    n = models.PositiveIntegerField()
    missing = models.PositiveIntegerField(default=0)
    revision = models.PositiveIntegerField(default=1)
    current = models.BooleanField(default=True)
    changed_at = models.DateTimeField(default=timezone.now)
    used_at = models.DateTimeField(null=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("reference", "site", "day"), condition=models.Q(current=True), name="one_current_embedding_day"
            ),
        )

    def __str__(self) -> str:
        return f"embeddings at {self.site} on {self.day}"
