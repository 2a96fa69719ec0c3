"""What happens around a submission: questions, assessments, decisions, conditions, changes of plan, clocks, the end."""

from django.db import models
from django.utils import timezone

from accounts.models import Person
from assurance.models.fields import sha256_field
from assurance.models.submissions import SandboxPlan, Submission


class InformationRequest(models.Model):
    """One question of the regulator with its answers. Open, answered, then accepted or opened again."""

    class Status(models.TextChoices):
        OPEN = "open", "Open"
        ANSWERED = "answered", "Answered"
        REOPENED = "reopened", "Opened again"
        ACCEPTED = "accepted", "Accepted"
        CLOSED = "closed", "Closed"

    submission = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="requests")
    number = models.PositiveIntegerField()
    question = models.TextField()
    kind = models.CharField(max_length=60, blank=True, help_text="the evidence kind that the question is about")
    status = models.CharField(max_length=8, choices=Status, default=Status.OPEN)
    asked_in = models.CharField(max_length=30)
    author = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    asked_at = models.DateTimeField(default=timezone.now, editable=False)
    due_at = models.DateTimeField()
    warnings = models.PositiveSmallIntegerField(default=0)
    warned_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("submission", "number")
        constraints = (models.UniqueConstraint(fields=("submission", "number"), name="one_request_per_number"),)

    def __str__(self) -> str:
        return f"Question {self.number} of {self.submission.label}"

    @property
    def waiting(self) -> bool:
        return self.status in (self.Status.OPEN, self.Status.REOPENED)


class Answer(models.Model):
    append_only = True

    request = models.ForeignKey(InformationRequest, on_delete=models.PROTECT, related_name="answers")
    text = models.TextField()
    side = models.CharField(max_length=10, help_text="developer answers, regulator says why it asks again")
    author = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    written_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ("written_at",)

    def __str__(self) -> str:
        return f"Answer to {self.request}"


class Assessment(models.Model):
    """The assessor's work, criterion by criterion; the developer never sees it. Signed, it can no longer change."""

    class Stage(models.TextChoices):
        ADMISSION = "admission", "Admission"
        EXIT = "exit", "Exit"

    submission = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="assessments")
    stage = models.CharField(max_length=9, choices=Stage)
    criteria = models.JSONField(default=dict, help_text="criterion to {judgement, reason}")
    recommendation = models.TextField(blank=True)
    author = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    sha256 = sha256_field(blank=True)
    signature_id = models.BigIntegerField(null=True)
    written_at = models.DateTimeField(default=timezone.now)
    signed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("written_at",)

    def __str__(self) -> str:
        return f"{self.get_stage_display()} assessment of {self.submission.label}"

    def organisations(self) -> dict[str, set[int]]:
        return {"owner": {self.submission.regulator_id}}

    def content(self) -> dict[str, object]:
        return {
            "submission": str(self.submission_id), "stage": self.stage, "criteria": self.criteria,
            "recommendation": self.recommendation, "snapshot_sha256": self.submission.snapshot_sha256,
        }  # fmt: skip


class Decision(models.Model):
    """What the decider is about to sign: outcome, reasons, conditions. Bound to one step; used once."""

    submission = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="decisions")
    transition = models.CharField(max_length=4)
    ground = models.CharField(max_length=60, blank=True, help_text="not_eligible, for a refusal before assessment")
    reasons = models.TextField()
    no_conditions = models.BooleanField(default=False, help_text="says expressly that there are none")
    sha256 = sha256_field(blank=True)
    author = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    prepared_at = models.DateTimeField(default=timezone.now, editable=False)
    signature_id = models.BigIntegerField(null=True)
    decided_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("prepared_at",)

    def __str__(self) -> str:
        return f"Decision {self.transition} on {self.submission.label}"

    def content(self) -> dict[str, object]:
        conditions = [{"text": c.text, "due": c.due} for c in self.conditions.order_by("pk")]
        return {
            "submission": str(self.submission_id), "transition": self.transition, "ground": self.ground,
            "reasons": self.reasons, "conditions": conditions, "no_conditions": self.no_conditions,
            "snapshot_sha256": self.submission.snapshot_sha256,
        }  # fmt: skip


class Condition(models.Model):
    class Status(models.TextChoices):
        OPEN = "open", "Open"
        MET = "met", "Met"

    decision = models.ForeignKey(Decision, on_delete=models.PROTECT, related_name="conditions")
    text = models.TextField()
    due = models.DateField(null=True)
    status = models.CharField(max_length=4, choices=Status, default=Status.OPEN)
    met_reason = models.TextField(blank=True)
    met_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, related_name="+")
    met_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("pk",)

    def __str__(self) -> str:
        return self.text[:80]


class PlanChange(models.Model):
    """An amendment or extension: proposed, then agreed by two signatures (developer and regulator), or not."""

    class Kind(models.TextChoices):
        AMENDMENT = "amendment", "Amendment"
        EXTENSION = "extension", "Extension"

    class Status(models.TextChoices):
        PROPOSED = "proposed", "Proposed"
        AGREED = "agreed", "Agreed"
        REJECTED = "rejected", "Rejected"
        WITHDRAWN = "withdrawn", "Withdrawn"

    submission = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="plan_changes")
    kind = models.CharField(max_length=9, choices=Kind)
    status = models.CharField(max_length=9, choices=Status, default=Status.PROPOSED)
    base = models.ForeignKey(SandboxPlan, on_delete=models.PROTECT, related_name="+")
    content = models.JSONField(help_text="the resulting plan")
    sha256 = sha256_field()
    reason = models.TextField()
    result = models.ForeignKey(SandboxPlan, on_delete=models.PROTECT, null=True, related_name="+")
    author = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    proposed_at = models.DateTimeField(default=timezone.now, editable=False)
    developer_signature = models.BigIntegerField(null=True)
    regulator_signature = models.BigIntegerField(null=True)
    settled_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("proposed_at",)

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of {self.submission.label}"

    def organisations(self) -> dict[str, set[int]]:
        return self.submission.organisations()


class SuspensionProposal(models.Model):
    """Raised by a threshold, an incident or a person; only a person's decision suspends."""

    class Status(models.TextChoices):
        OPEN = "open", "Open"
        FOLLOWED = "followed", "Followed"
        SET_ASIDE = "set_aside", "Set aside"

    submission = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="suspension_proposals")
    trigger = models.CharField(max_length=60)
    subject = models.CharField(max_length=120, blank=True, help_text="the threshold, report or deployment concerned")
    reason = models.TextField()
    evidence_sha256 = models.CharField(max_length=64, blank=True)
    status = models.CharField(max_length=9, choices=Status, default=Status.OPEN)
    raised_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, related_name="+")
    raised_at = models.DateTimeField(default=timezone.now, editable=False)
    settled_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, related_name="+")
    settled_at = models.DateTimeField(null=True)
    settled_reason = models.TextField(blank=True)

    class Meta:
        ordering = ("raised_at",)
        constraints = (
            models.UniqueConstraint(
                fields=("submission", "trigger", "subject", "evidence_sha256"),
                condition=~models.Q(evidence_sha256="") & ~models.Q(subject=""), name="one_proposal_per_evidence",
            ),
        )  # fmt: skip

    def __str__(self) -> str:
        return f"Proposal to suspend {self.submission.label}: {self.trigger}"


class Appeal(models.Model):
    class Status(models.TextChoices):
        LODGED = "lodged", "Lodged"
        UPHELD = "upheld", "Upheld"
        DISMISSED = "dismissed", "Dismissed"

    submission = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="appeals")
    reasons = models.TextField()
    status = models.CharField(max_length=9, choices=Status, default=Status.LODGED)
    author = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    lodged_at = models.DateTimeField(default=timezone.now, editable=False)
    settled_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, related_name="+")
    settled_at = models.DateTimeField(null=True)
    settled_reason = models.TextField(blank=True)

    class Meta:
        ordering = ("lodged_at",)

    def __str__(self) -> str:
        return f"Appeal against {self.submission.label}"


class ExitPaper(models.Model):
    """A document of the end: the participant's final report, the regulator's exit report, the written proof."""

    class Kind(models.TextChoices):
        FINAL_REPORT = "final_report", "Final report of the participant"
        EXIT_REPORT = "exit_report", "Exit report"
        WRITTEN_PROOF = "written_proof", "Written proof"

    submission = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="exit_papers")
    kind = models.CharField(max_length=13, choices=Kind)
    content = models.JSONField()
    sha256 = sha256_field()
    author = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    written_at = models.DateTimeField(default=timezone.now, editable=False)
    shared_at = models.DateTimeField(null=True, help_text="when the participant could read it")
    comment = models.TextField(blank=True)
    commented_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, related_name="+")
    commented_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("written_at",)

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of {self.submission.label}"


class Publication(models.Model):
    """Whether the exit papers are published: both sides agree, or it is declined."""

    class Status(models.TextChoices):
        ASKED = "asked", "Asked"
        PARTICIPANT_AGREED = "participant_agreed", "Participant agreed"
        AUTHORITY_AGREED = "authority_agreed", "Authority agreed"
        PUBLISHED = "published", "Published"
        DECLINED = "declined", "Declined"

    submission = models.OneToOneField(Submission, on_delete=models.PROTECT, related_name="publication")
    status = models.CharField(max_length=18, choices=Status, default=Status.ASKED)
    redacted = models.TextField(blank=True)
    sha256 = sha256_field(blank=True)
    participant_signature = models.BigIntegerField(null=True)
    authority_signature = models.BigIntegerField(null=True)
    reason = models.TextField(blank=True)
    changed_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"Publication of {self.submission.label}"

    def organisations(self) -> dict[str, set[int]]:
        return self.submission.organisations()


class ProcessClock(models.Model):
    """A clock, running or stopped. ``terms`` is a frozen copy, so a later change of the programme alters nothing."""

    submission = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="clocks")
    clock = models.SlugField(max_length=60)
    terms = models.JSONField()
    started_at = models.DateTimeField()
    pauses = models.JSONField(default=list, help_text="[start, end or null] of times with the participant")
    stopped_at = models.DateTimeField(null=True)
    due_at = models.DateTimeField(null=True, help_text="as it stood when the clock stopped")

    class Meta:
        ordering = ("started_at", "clock")

    def __str__(self) -> str:
        return f"{self.clock} of {self.submission.label}"


class RemarkInConfidence(models.Model):
    """A note of the regulator's people among themselves; the developer never sees it."""

    submission = models.ForeignKey(Submission, on_delete=models.PROTECT, related_name="remarks")
    text = models.TextField()
    author = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    written_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ("written_at",)

    def __str__(self) -> str:
        return f"Remark on {self.submission.label}"
