"""Submissions to a regulator's sandbox programme, with the file that they carry."""

import uuid

from django.db import models
from django.utils import timezone

from accounts.models import Organisation, Person
from assurance.models.artefacts import Artefact
from assurance.models.cards import CardRevision
from assurance.models.deployments import Deployment
from assurance.models.fields import sha256_field
from assurance.models.findings import FindingRecord
from assurance.models.registry import ModelVersion

BEFORE_SUBMITTED = ("draft", "internal_review", "ready")
UNSEEN_BY_HOSPITALS = ("draft", "internal_review")


class Submission(models.Model):
    """One file of a developer before one regulator. ``profile_terms`` is the programme as it was when it was opened."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    number = models.PositiveIntegerField(unique=True, editable=False)
    title = models.CharField(max_length=200)
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="submissions")
    regulator = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="received_submissions")
    version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="submissions")
    deployments = models.ManyToManyField(Deployment, related_name="submissions", blank=True)
    profile = models.SlugField(max_length=60)
    profile_terms = models.JSONField()
    state = models.SlugField(max_length=30, default="draft")
    state_since = models.DateTimeField(default=timezone.now)
    facts = models.JSONField(default=dict, help_text="declarations: terms, confidentiality, personal data, real world")
    snapshot = models.JSONField(null=True)
    snapshot_sha256 = models.CharField(max_length=64, blank=True)
    receipt = models.CharField(max_length=64, blank=True)
    created_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    submitted_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    regulator_until = models.DateTimeField(
        null=True, help_text="end of the authority's access; empty while the procedure runs"
    )

    class Meta:
        ordering = ("-number",)

    def __str__(self) -> str:
        return f"{self.label} {self.title}"

    @property
    def label(self) -> str:
        return f"S-{self.number:04d}"

    @property
    def seen_by_regulator(self) -> bool:
        """From the receipt to the end of access; a file withdrawn before it was submitted was never theirs to see."""
        ended = self.regulator_until is not None and self.regulator_until <= timezone.now()
        return self.submitted_at is not None and not ended

    def organisations(self) -> dict[str, set[int]]:
        """The developer's own; the regulator's once submitted, the hospitals' once there is something to commit to."""
        shared: dict[str, set[int]] = {"owner": {self.organisation_id}}
        if self.seen_by_regulator:
            shared["regulator"] = {self.regulator_id}
        if self.state not in UNSEEN_BY_HOSPITALS:
            shared["hospital"] = set(self.deployments.values_list("organisation_id", flat=True))
        return shared


class SandboxPlan(models.Model):
    """One revision of the plan. Frozen: question, thresholds and test sets can no longer change; the hash proves it."""

    submission = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="plans")
    revision = models.PositiveIntegerField()
    content = models.JSONField()
    sha256 = sha256_field()
    author = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, related_name="+")
    saved_at = models.DateTimeField(default=timezone.now, editable=False)
    frozen_at = models.DateTimeField(null=True)
    frozen_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, related_name="+")

    class Meta:
        ordering = ("submission", "revision")
        constraints = (
            models.UniqueConstraint(fields=("submission", "revision"), name="one_sandbox_plan_per_revision"),
        )

    def __str__(self) -> str:
        return f"Plan {self.revision} of {self.submission.label}"

    def organisations(self) -> dict[str, set[int]]:
        return self.submission.organisations()


class EvidenceItem(models.Model):
    """What stands on file for one evidence kind: a link by hash, or the statement that there is none, with a reason."""

    class Standing(models.TextChoices):
        PRESENT = "present", "On file"
        NOT_AVAILABLE = "not_available", "Not available"
        NOT_APPLICABLE = "not_applicable", "Not applicable"

    submission = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="evidence")
    kind = models.CharField(max_length=60)
    standing = models.CharField(max_length=14, choices=Standing, default=Standing.PRESENT)
    title = models.CharField(max_length=200)
    finding = models.ForeignKey(FindingRecord, on_delete=models.PROTECT, null=True, related_name="+")
    artefact = models.ForeignKey(Artefact, on_delete=models.PROTECT, null=True, related_name="+")
    card_revision = models.ForeignKey(CardRevision, on_delete=models.PROTECT, null=True, related_name="+")
    signature_id = models.BigIntegerField(null=True)
    text = models.TextField(blank=True)
    reason = models.TextField(blank=True)
    sha256 = sha256_field(db_index=True)
    confidential = models.BooleanField(default=False)
    request = models.ForeignKey(
        "InformationRequest", on_delete=models.PROTECT, null=True, related_name="evidence", help_text="answers this"
    )
    author = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, related_name="+")
    added_at = models.DateTimeField(default=timezone.now, editable=False)
    added_in = models.SlugField(max_length=30, help_text="the state of the submission when it was added")
    withdrawn_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("kind", "added_at")
        indexes = (models.Index(fields=("submission", "kind")),)

    def __str__(self) -> str:
        return f"{self.kind}: {self.title}"


class StateChange(models.Model):
    """One step that was taken. The audit trail holds it too; this row is what pages and guards read."""

    append_only = True

    submission = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="changes")
    transition = models.CharField(max_length=4)
    source = models.CharField(max_length=30)
    target = models.CharField(max_length=30)
    person = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, related_name="+")
    role = models.CharField(max_length=24)
    reason = models.TextField(blank=True)
    content_sha256 = models.CharField(max_length=64, blank=True)
    signature_id = models.BigIntegerField(null=True)
    audit_event_id = models.BigIntegerField()
    at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ("submission", "pk")

    def __str__(self) -> str:
        return f"{self.transition}: {self.source} to {self.target}"


class RequirementJudgement(models.Model):
    """A signed statement that a requirement does not apply."""

    append_only = True

    submission = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="judgements")
    requirement = models.CharField(max_length=80)
    reason = models.TextField()
    person = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    signature_id = models.BigIntegerField()
    sha256 = sha256_field()
    at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("submission", "requirement"), name="one_judgement"),)

    def __str__(self) -> str:
        return f"{self.requirement} does not apply"
