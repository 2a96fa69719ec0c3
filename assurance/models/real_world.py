"""Tests in the real world inside a sandbox, and the incidents that happen while a submission runs."""

from django.db import models
from django.utils import timezone

from accounts.models import Person
from assurance.models.deployments import Deployment
from assurance.models.fields import sha256_field
from assurance.models.submissions import SandboxPlan, Submission


class RealWorldTest(models.Model):
    """One test with patients under one plan: planned, approved, registered, running, ended, outcome notified."""

    class Status(models.TextChoices):
        PLANNED = "planned", "Planned"
        APPROVED = "approved", "Approved"
        REGISTERED = "registered", "Registered"
        RUNNING = "running", "Running"
        SUSPENDED = "suspended", "Suspended"
        ENDED = "ended", "Ended"
        OUTCOME_NOTIFIED = "outcome_notified", "Outcome notified"

    submission = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="real_world_tests")
    number = models.PositiveIntegerField()
    plan = models.ForeignKey(SandboxPlan, on_delete=models.PROTECT, related_name="+")
    deployment = models.ForeignKey(Deployment, on_delete=models.PROTECT, related_name="+")
    title = models.CharField(max_length=200)
    content = models.JSONField(help_text="consent, oversight, reversal: in words, each needed")
    sha256 = sha256_field()
    starts_on = models.DateField()
    ends_on = models.DateField()
    extended = models.BooleanField(default=False)
    status = models.CharField(max_length=16, choices=Status, default=Status.PLANNED)
    registration = models.CharField(max_length=120, blank=True, help_text="the number in the public register")
    author = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    planned_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ("submission", "number")
        constraints = (models.UniqueConstraint(fields=("submission", "number"), name="one_test_per_number"),)

    def __str__(self) -> str:
        return f"Real-world test {self.number} of {self.submission.label}"

    def organisations(self) -> dict[str, set[int]]:
        return self.submission.organisations()


class RealWorldTestStep(models.Model):
    """One step of a test that was taken."""

    append_only = True

    test = models.ForeignKey(RealWorldTest, on_delete=models.PROTECT, related_name="steps")
    source = models.CharField(max_length=16)
    target = models.CharField(max_length=16)
    person = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, related_name="+")
    role = models.CharField(max_length=24)
    reason = models.TextField(blank=True)
    content_sha256 = models.CharField(max_length=64, blank=True)
    signature_id = models.BigIntegerField(null=True)
    at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ("test", "pk")

    def __str__(self) -> str:
        return f"{self.source} to {self.target}"


class SubmissionIncident(models.Model):
    """An incident at a deployment of a submission, as its parties follow it; its legal clocks run with the incident."""

    class Status(models.TextChoices):
        RECORDED = "recorded", "Recorded"
        TRIAGED = "triaged", "Triaged"
        REPORTABLE = "reportable", "Reportable"
        NOT_REPORTABLE = "not_reportable", "Not reportable"
        REPORTED_INITIAL = "reported_initial", "First report sent"
        REPORTED_FINAL = "reported_final", "All reports sent"
        CLOSED = "closed", "Closed"

    submission = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="incidents")
    deployment = models.ForeignKey(Deployment, on_delete=models.PROTECT, related_name="+")
    incident_number = models.PositiveIntegerField()
    event_kind = models.SlugField(max_length=60)
    title = models.CharField(max_length=200)
    status = models.CharField(max_length=16, choices=Status, default=Status.RECORDED)
    reason = models.TextField(blank=True, help_text="of the newest step")
    aware_at = models.DateTimeField()
    recorded_at = models.DateTimeField(default=timezone.now, editable=False)
    changed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("submission", "incident_number")
        constraints = (
            models.UniqueConstraint(fields=("submission", "incident_number"), name="one_incident_per_submission"),
        )

    def __str__(self) -> str:
        return f"Incident {self.incident_number}: {self.title}"

    def organisations(self) -> dict[str, set[int]]:
        return self.submission.organisations()
