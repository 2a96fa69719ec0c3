"""Which columns a deployment's predictions carry: inferred, shown to a person, confirmed, and every change noted."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from accounts.models import Organisation
from assurance.models import Deployment
from monitoring.models.batches import PredictionBatch


class FeatureSchema(models.Model):
    """One revision of the columns, ``[{"name", "kind", "family"}]``. A later file never changes an earlier revision."""

    class Status(models.TextChoices):
        PROPOSED = "proposed", "Inferred, not confirmed"
        CONFIRMED = "confirmed", "Confirmed"

    deployment = models.ForeignKey(Deployment, on_delete=models.PROTECT, related_name="schemas")
    revision = models.PositiveIntegerField()
    columns = models.JSONField()
    status = models.CharField(max_length=10, choices=Status, default=Status.PROPOSED)
    batch = models.ForeignKey(PredictionBatch, on_delete=models.PROTECT, null=True, related_name="+")
    proposed_at = models.DateTimeField(default=timezone.now)
    confirmed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    confirmed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("deployment", "-revision")
        constraints = (models.UniqueConstraint(fields=("deployment", "revision"), name="one_schema_per_revision"),)

    def __str__(self) -> str:
        return f"schema {self.revision}"


class SchemaEvent(models.Model):
    """A delivery whose columns differ from the schema. It is a fact to look at, never a reason to refuse the rows."""

    class Kind(models.TextChoices):
        NEW = "new", "New column"
        MISSING = "missing", "Column missing"
        BACK = "back", "Column came back"
        DROPPED = "dropped", "Column not taken in"

    deployment = models.ForeignKey(Deployment, on_delete=models.PROTECT, related_name="schema_events")
    batch = models.ForeignKey(PredictionBatch, on_delete=models.CASCADE, related_name="schema_events")
    kind = models.CharField(max_length=8, choices=Kind)
    column = models.CharField(max_length=120)
    detail = models.CharField(max_length=200, blank=True)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("-at", "column")

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.column}"


class IntakeRules(models.Model):
    """How a deployment recognises control studies and treats dates. Without a row the defaults hold."""

    class Dates(models.TextChoices):
        KEPT = "kept", "Kept"
        SHIFTED = "shifted", "Shifted by a secret number of whole weeks, the same for all of the organisation's rows"

    deployment = models.OneToOneField(Deployment, on_delete=models.PROTECT, related_name="intake_rules")
    canary_pattern = models.CharField(max_length=200, default=r"(?i)^canary([-_ .]|\d|$)")
    phantom_pattern = models.CharField(max_length=200, default=r"(?i)^(phantom|acr|catphan|qa|qc)([-_ .]|\d|$)")
    dates = models.CharField(max_length=8, choices=Dates, default=Dates.KEPT)

    def __str__(self) -> str:
        return f"intake rules of {self.deployment}"


class ControlReading(models.Model):
    """A canary or phantom study: the model's answer on a known object, kept apart from patients' cases."""

    class Kind(models.TextChoices):
        CANARY = "canary", "Canary study"
        PHANTOM = "phantom", "Phantom study"

    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="+")
    deployment = models.ForeignKey(Deployment, on_delete=models.PROTECT, related_name="control_readings")
    batch = models.ForeignKey(PredictionBatch, on_delete=models.PROTECT, related_name="control_readings")
    kind = models.CharField(max_length=8, choices=Kind)
    case = models.CharField(max_length=32)
    study_time = models.DateTimeField()
    site = models.CharField(max_length=60)
    score = models.FloatField(null=True)
    decision = models.CharField(max_length=60, blank=True)
    numbers = ArrayField(models.FloatField(null=True))
    levels = ArrayField(models.TextField(null=True))

    class Meta:
        ordering = ("-study_time",)
        indexes = (models.Index(fields=("deployment", "-study_time"), name="monitoring_control_newest"),)

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.case[:12]}"
