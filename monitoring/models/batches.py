"""What arrived: each delivery once with what became of it, and the rows that were refused."""

import uuid

from django.db import models
from django.utils import timezone

from accounts.models import ApiToken, Organisation
from assurance.models import Deployment
from assurance.models.fields import sha256_field


class PredictionBatch(models.Model):
    """One delivery of prediction rows. The same key with the same content answers as before; nothing doubles.

    Counts grow chunk by chunk, in the transaction that stores the chunk; ``chunks_done`` says where a worker goes on
    after an interruption.
    """

    class Purpose(models.TextChoices):
        MONITORING = "monitoring", "Monitoring"
        REFERENCE = "reference", "Reference set"

    class Status(models.TextChoices):
        RECEIVED = "received", "Received, being worked through"
        DONE = "done", "Worked through"
        FAILED = "failed", "Not readable to its end"

    class Door(models.TextChoices):
        HTTP = "http", "HTTP"
        FILE = "file", "File"
        FOLDER = "folder", "Watched folder"
        DICOM = "dicom", "DICOM"
        FHIR = "fhir", "FHIR"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="+")
    deployment = models.ForeignKey(Deployment, on_delete=models.PROTECT, related_name="batches")
    purpose = models.CharField(max_length=10, choices=Purpose, default=Purpose.MONITORING)
    door = models.CharField(max_length=8, choices=Door, default=Door.HTTP)
    status = models.CharField(max_length=8, choices=Status, default=Status.DONE)
    reason = models.CharField(max_length=400, blank=True, help_text="why it could not be read to its end")
    idempotency_key = models.CharField(max_length=120)
    content_sha256 = sha256_field()
    content_bytes = models.BigIntegerField(default=0)
    media_type = models.CharField(max_length=80, blank=True)
    encoding = models.CharField(max_length=10, blank=True, help_text="gzip, zstd or empty")
    token = models.ForeignKey(ApiToken, on_delete=models.SET_NULL, null=True, related_name="+")
    rows = models.PositiveIntegerField(default=0)
    accepted = models.PositiveIntegerField(default=0, help_text="new rows, corrections included")
    duplicates = models.PositiveIntegerField(default=0)
    corrected = models.PositiveIntegerField(default=0, help_text="accepted rows that replace an earlier revision")
    set_aside = models.PositiveIntegerField(default=0, help_text="canary and phantom studies, kept apart")
    rejected = models.PositiveIntegerField(default=0)
    new_columns = models.JSONField(default=list, help_text="columns that this batch brought for the first time")
    missing_columns = models.JSONField(default=list, help_text="known columns that this batch did not bring")
    removed = models.JSONField(default=dict, help_text="what de-identification took away, counted and not kept")
    reopened = models.JSONField(default=list, help_text="[site, day] whose day states corrections make anew")
    chunks_done = models.PositiveIntegerField(default=0)
    received_at = models.DateTimeField(default=timezone.now)
    done_at = models.DateTimeField(null=True)
    summarised_at = models.DateTimeField(null=True, help_text="when its rows entered the day states, exactly once")

    class Meta:
        ordering = ("-received_at",)
        constraints = (
            models.UniqueConstraint(fields=("deployment", "idempotency_key"), name="one_batch_per_idempotency_key"),
        )
        indexes = (
            models.Index(fields=("deployment", "summarised_at")),
            models.Index(fields=("deployment", "-received_at"), name="monitoring_batch_newest"),
        )

    def __str__(self) -> str:
        return f"{self.accepted} of {self.rows} rows"


class Reject(models.Model):
    """A row that did not go in. ``row`` counts from 1 as the sender's file does, headers not counted."""

    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="+")
    batch = models.ForeignKey(PredictionBatch, on_delete=models.CASCADE, related_name="rejects")
    row = models.PositiveIntegerField()
    column = models.CharField(max_length=120)
    code = models.CharField(max_length=40)
    value = models.CharField(max_length=80, blank=True)
    reason = models.CharField(max_length=300)

    class Meta:
        ordering = ("batch", "row")

    def __str__(self) -> str:
        return f"row {self.row}, {self.column}: {self.reason}"
