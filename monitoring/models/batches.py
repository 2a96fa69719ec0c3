"""What arrived: each accepted batch once, and the rows that were refused."""

import uuid

from django.db import models
from django.utils import timezone

from accounts.models import ApiToken, Organisation
from assurance.models import Deployment
from assurance.models.fields import sha256_field


class PredictionBatch(models.Model):
    """One delivery of prediction rows. The same key with the same content answers as before; nothing doubles."""

    class Purpose(models.TextChoices):
        MONITORING = "monitoring", "Monitoring"
        REFERENCE = "reference", "Reference set"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="+")
    deployment = models.ForeignKey(Deployment, on_delete=models.PROTECT, related_name="batches")
    purpose = models.CharField(max_length=10, choices=Purpose, default=Purpose.MONITORING)
    idempotency_key = models.CharField(max_length=120)
    content_sha256 = sha256_field()
    token = models.ForeignKey(ApiToken, on_delete=models.SET_NULL, null=True, related_name="+")
    rows = models.PositiveIntegerField()
    accepted = models.PositiveIntegerField()
    duplicates = models.PositiveIntegerField(default=0)
    rejected = models.PositiveIntegerField()
    new_columns = models.JSONField(default=list, help_text="columns that this batch brought for the first time")
    received_at = models.DateTimeField(default=timezone.now)
    summarised_at = models.DateTimeField(null=True, help_text="when its rows entered the day states, exactly once")

    class Meta:
        ordering = ("-received_at",)
        constraints = (
            models.UniqueConstraint(fields=("deployment", "idempotency_key"), name="one_batch_per_idempotency_key"),
        )
        indexes = (models.Index(fields=("deployment", "summarised_at")),)

    def __str__(self) -> str:
        return f"{self.accepted} of {self.rows} rows"


class Reject(models.Model):
    """A row that did not go in. ``row`` counts from 1 as the sender's file does, headers not counted."""

    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="+")
    batch = models.ForeignKey(PredictionBatch, on_delete=models.CASCADE, related_name="rejects")
    row = models.PositiveIntegerField()
    column = models.CharField(max_length=120)
    code = models.CharField(max_length=40)
    reason = models.CharField(max_length=300)

    class Meta:
        ordering = ("batch", "row")

    def __str__(self) -> str:
        return f"row {self.row}, {self.column}: {self.reason}"
