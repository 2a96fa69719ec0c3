"""Incidents and the clocks that the law starts for them."""

import uuid
from datetime import UTC, datetime

from django.db import models
from django.utils import timezone

from accounts.models import Organisation
from assurance.models import Deployment
from records.canonical import content_hash
from records.models import Signature

MAKER_ACTORS = ("manufacturer", "provider", "importer", "authorised_representative")


class Incident(models.Model):
    """What a person judged to concern patients' safety: opened, reported, closed, each with a reason."""

    class Status(models.TextChoices):
        OPEN = "open", "Open"
        CLOSED = "closed", "Closed"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    number = models.PositiveIntegerField(unique=True, editable=False)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="incidents")
    deployment = models.ForeignKey(Deployment, on_delete=models.PROTECT, related_name="incidents")
    alarm_id = models.BigIntegerField(null=True, help_text="the alarm that it came from")
    event_kind = models.SlugField(max_length=60)
    title = models.CharField(max_length=200)
    description = models.TextField()
    aware_at = models.DateTimeField()
    time_zone = models.CharField(max_length=60, default="UTC")
    status = models.CharField(max_length=6, choices=Status, default=Status.OPEN)
    closing_reason = models.TextField(blank=True)
    opened_at = models.DateTimeField(default=timezone.now, editable=False)
    closed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-aware_at",)

    def __str__(self) -> str:
        return f"Incident {self.number}: {self.title}"

    def organisations(self) -> dict[str, set[int]]:
        """The hospital's, shared with the developer of the version that ran: each reports to its own authorities."""
        return self.deployment.organisations()


class ReportingClock(models.Model):
    """One report that one duty asks for. ``duty`` is its id in the catalogue of deadlines; ``terms`` a frozen copy."""

    incident = models.ForeignKey(Incident, on_delete=models.PROTECT, related_name="clocks")
    duty = models.SlugField(max_length=80)
    terms = models.JSONField()
    due_at = models.DateTimeField(null=True, help_text="empty where the text names no number: a person sets the date")
    moved_to = models.DateField(null=True)
    reported_at = models.DateTimeField(null=True)
    reference = models.CharField(max_length=120, blank=True, help_text="the recipient's reference of the report")
    late_reason = models.TextField(blank=True)
    report_sha256 = models.CharField(max_length=64, blank=True, help_text="of the report's file as it was sent")
    signature_id = models.BigIntegerField(null=True)
    waived_at = models.DateTimeField(null=True)
    waived_reason = models.TextField(blank=True, help_text="why this duty does not apply to the incident")

    class Meta:
        ordering = ("due_at",)
        constraints = (models.UniqueConstraint(fields=("incident", "duty"), name="one_clock_per_duty"),)

    def __str__(self) -> str:
        return f"{self.duty} of incident {self.incident.number}"

    @property
    def overdue(self) -> bool:
        return self.running and self.due_at is not None and self.due_at < timezone.now()

    @property
    def running(self) -> bool:
        return self.reported_at is None and self.waived_at is None

    @property
    def holder(self) -> str:
        """Which side the law puts the duty on: the developer as manufacturer or provider, else the hospital."""
        return "developer" if self.terms["actor"] in MAKER_ACTORS else "hospital"

    def organisations(self) -> dict[str, set[int]]:
        return self.incident.organisations()

    def covered_by(self, signature: Signature) -> bool:
        """True while the report on record is the one that was signed."""
        if self.reported_at is None:
            return False
        said = self.statement(
            reported_at=self.reported_at, reference=self.reference, report_sha256=self.report_sha256
        )  # fmt: skip
        return signature.covers(content_hash(said))

    def statement(self, *, reported_at: datetime, reference: str, report_sha256: str) -> dict[str, object]:
        """What the reporter signs: which report went out when under which reference, and the file's hash."""
        return {
            "incident": str(self.incident_id), "number": self.incident.number, "duty": self.duty,
            "ref": self.terms["ref"], "recipient": self.terms["recipient"], "reported_at": reported_at.astimezone(UTC),
            "reference": reference, "report_sha256": report_sha256,
        }  # fmt: skip


class CorrectiveAction(models.Model):
    """What is done so that the harm stops or does not come back, by whom, until when, and what shows that it worked."""

    class Kind(models.TextChoices):
        CONTAINMENT = "containment", "Containment"
        CORRECTIVE = "corrective", "Corrective action"
        PREVENTIVE = "preventive", "Preventive action"

    incident = models.ForeignKey(Incident, on_delete=models.PROTECT, related_name="actions")
    kind = models.CharField(max_length=12, choices=Kind)
    text = models.TextField()
    responsible = models.CharField(max_length=200, help_text="the person or department that does it")
    due_on = models.DateField()
    opened_at = models.DateTimeField(default=timezone.now, editable=False)
    done_at = models.DateTimeField(null=True)
    effect = models.TextField(blank=True, help_text="what shows that it worked")

    class Meta:
        ordering = ("due_on", "pk")

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of incident {self.incident.number}"

    @property
    def overdue(self) -> bool:
        return self.done_at is None and self.due_on < timezone.now().date()

    def organisations(self) -> dict[str, set[int]]:
        return self.incident.organisations()
