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
    That a case has one row is kept by :class:`CasePlace`, which also says in which month to look for it.
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
    revision = models.PositiveSmallIntegerField(default=1)

    class Meta:
        managed = False
        db_table = "monitoring_prediction"

    def __str__(self) -> str:
        return self.case


class CasePlace(models.Model):
    """Where the current row of a case stands: the one unique index over all months, and the guard against doubles."""

    pk = models.CompositePrimaryKey("deployment_id", "version_id", "case")
    deployment = models.ForeignKey(Deployment, on_delete=models.DO_NOTHING, related_name="+")
    version = models.ForeignKey(ModelVersion, on_delete=models.DO_NOTHING, related_name="+")
    case = models.CharField(max_length=32)
    organisation = models.ForeignKey(Organisation, on_delete=models.DO_NOTHING, related_name="+")
    study_time = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "monitoring_caseplace"

    def __str__(self) -> str:
        return self.case


class PastPrediction(models.Model):
    """A revision of a row that a later delivery corrected. The current one stands in :class:`Prediction`."""

    pk = models.CompositePrimaryKey("deployment_id", "case", "version_id", "revision")
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
    revision = models.PositiveSmallIntegerField()
    replaced_at = models.DateTimeField()
    replaced_by = models.ForeignKey(PredictionBatch, on_delete=models.DO_NOTHING, related_name="+")

    class Meta:
        managed = False
        db_table = "monitoring_pastprediction"

    def __str__(self) -> str:
        return f"{self.case} revision {self.revision}"


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


class PastLabel(models.Model):
    """A label that a later one replaced."""

    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="+")
    deployment = models.ForeignKey(Deployment, on_delete=models.PROTECT, related_name="past_labels")
    case = models.CharField(max_length=32)
    quantity = models.SlugField(max_length=40)
    value = models.FloatField()
    labelled_at = models.DateTimeField(null=True)
    received_at = models.DateTimeField()
    replaced_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("-replaced_at",)
        indexes = (models.Index(fields=("deployment", "case"), name="monitoring_pastlabel_case"),)

    def __str__(self) -> str:
        return f"{self.quantity} {self.value:g}, replaced"
