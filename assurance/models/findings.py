"""Findings as rows: written once, superseded by later ones, never edited."""

from django.db import models
from django.utils import timezone

from assurance.models.deployments import Deployment
from assurance.models.fields import sha256_field
from assurance.models.registry import ModelVersion


class FindingRecord(models.Model):
    """A stored :class:`assurance.evidence.finding.Finding`: ``content`` is its whole, the columns find it."""

    class Family(models.TextChoices):
        INPUT = "input", "Input"
        OUTPUT = "output", "Output"
        PERFORMANCE = "performance", "Performance"
        EXPLANATION = "explanation", "Explanation"
        GENERALIZABILITY = "generalizability", "Generalizability"

    digest = sha256_field(db_index=True)
    family = models.CharField(max_length=18, choices=Family)
    quantity = models.CharField(max_length=60)
    signal = models.CharField(max_length=120, blank=True)
    stratum = models.CharField(
        max_length=200, blank=True, help_text="factor=level;... in the order of the factors' names"
    )
    deployment = models.ForeignKey(Deployment, on_delete=models.PROTECT, null=True, related_name="findings")
    version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, null=True, related_name="findings")
    value = models.FloatField(null=True)
    state = models.CharField(max_length=12)
    n_cases = models.BigIntegerField()
    window_start = models.DateTimeField(null=True)
    window_end = models.DateTimeField(null=True)
    content = models.JSONField()
    computed_at = models.DateTimeField(default=timezone.now, editable=False)
    superseded_by = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="supersedes")

    class Meta:
        ordering = ("window_start", "quantity", "signal")
        indexes = (
            models.Index(fields=("deployment", "signal", "quantity", "window_start")),
            models.Index(fields=("deployment", "window_end")),
        )
        constraints = (
            models.UniqueConstraint(
                fields=(
                    "deployment",
                    "version",
                    "quantity",
                    "signal",
                    "stratum",
                    "window_start",
                    "window_end",
                    "family",
                ),
                condition=models.Q(superseded_by=None),
                nulls_distinct=False,
                name="one_current_finding",
            ),
        )

    def __str__(self) -> str:
        return f"{self.quantity} {self.value} ({self.state})"

    @property
    def evidence_id(self) -> str:
        return self.digest[:12]
