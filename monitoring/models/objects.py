"""DICOM objects that came in: each once, by its instance; what it gave and what was odd about it."""

from django.db import models
from django.utils import timezone

from accounts.models import Organisation
from assurance.models import Artefact, Deployment
from monitoring.models.batches import PredictionBatch


class StudyObject(models.Model):
    """One object of a study. ``instance`` and ``case`` are keyed pseudonyms; the object itself is not kept."""

    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="+")
    deployment = models.ForeignKey(Deployment, on_delete=models.PROTECT, related_name="study_objects")
    batch = models.ForeignKey(PredictionBatch, on_delete=models.PROTECT, related_name="study_objects")
    instance = models.CharField(max_length=32)
    case = models.CharField(max_length=32)
    kind = models.CharField(max_length=16)
    artefact = models.ForeignKey(Artefact, on_delete=models.PROTECT, null=True, related_name="+")
    frame_of_reference = models.CharField(max_length=32, blank=True)
    defects = models.JSONField(default=list)
    measured_at = models.DateTimeField(null=True, help_text="when the image-quality panel of an image was computed")
    received_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("-received_at",)
        constraints = (models.UniqueConstraint(fields=("deployment", "instance"), name="one_object_per_instance"),)
        indexes = (models.Index(fields=("deployment", "case"), name="monitoring_object_case"),)

    def __str__(self) -> str:
        return f"{self.kind} {self.instance[:12]}"
