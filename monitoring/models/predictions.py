"""Raw rows: predictions in monthly partitions, written by COPY, and what readers later found to be true."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from accounts.models import Organisation
from assurance.models import Deployment, ModelVersion
from monitoring.models.batches import PredictionBatch


class Prediction(models.Model):
    """One prediction on one case. The table is partitioned by study time; its SQL stands in the migration.

    ``case`` and ``patient`` are keyed pseudonyms. Rows are written once, by COPY; statistics read day states instead.
    """

    pk = models.CompositePrimaryKey("deployment_id", "case", "version_id", "study_time")
    deployment = models.ForeignKey(Deployment, on_delete=models.DO_NOTHING, related_name="+")
    organisation = models.ForeignKey(Organisation, on_delete=models.DO_NOTHING, related_name="+")
    version = models.ForeignKey(ModelVersion, on_delete=models.DO_NOTHING, related_name="+")
    batch = models.ForeignKey(PredictionBatch, on_delete=models.DO_NOTHING, related_name="+")
    case = models.CharField(max_length=32)
    patient = models.CharField(max_length=32, blank=True)
    study_time = models.DateTimeField()
    received_at = models.DateTimeField()
    site = models.CharField(max_length=60)
    score = models.FloatField(null=True)
    decision = models.CharField(max_length=60, blank=True)
    numbers = ArrayField(models.FloatField(null=True))
    levels = ArrayField(models.TextField(null=True))
    embedding = models.BinaryField(null=True)

    class Meta:
        managed = False
        db_table = "monitoring_prediction"

    def __str__(self) -> str:
        return self.case


class Label(models.Model):
    """What is true of a case by a reader or a reference standard: a 0/1 label, or a per-case measure such as Dice."""

    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="+")
    deployment = models.ForeignKey(Deployment, on_delete=models.PROTECT, related_name="labels")
    case = models.CharField(max_length=32)
    quantity = models.SlugField(max_length=40, default="label")
    value = models.FloatField()
    labelled_at = models.DateTimeField(null=True)
    received_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("deployment", "case", "quantity"), name="one_label_per_case"),)

    def __str__(self) -> str:
        return f"{self.quantity} {self.value:g}"
