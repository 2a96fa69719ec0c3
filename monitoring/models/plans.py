"""What is computed, when, and at which limits somebody is called: decided before the data, frozen by hash."""

from django.db import models
from django.utils import timezone

from assurance.models import Deployment, ModelVersion
from assurance.models.fields import sha256_field


class MonitoringPlan(models.Model):
    """One revision of a deployment's plan; the newest is in force. ``content`` is checked by ``monitoring.plan``."""

    deployment = models.ForeignKey(Deployment, on_delete=models.PROTECT, related_name="plans")
    revision = models.PositiveIntegerField()
    content = models.JSONField()
    sha256 = sha256_field()
    frozen_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("deployment", "-revision")
        constraints = (models.UniqueConstraint(fields=("deployment", "revision"), name="one_plan_per_revision"),)

    def __str__(self) -> str:
        return f"plan {self.revision} ({self.sha256[:8]})"


class WindowRun(models.Model):
    """One window that was computed under a plan; ``input_sha256`` names the states that went in."""

    deployment = models.ForeignKey(Deployment, on_delete=models.PROTECT, related_name="window_runs")
    version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="+")
    plan = models.ForeignKey(MonitoringPlan, on_delete=models.PROTECT, related_name="runs")
    start = models.DateField()
    end = models.DateField(help_text="first day after the window")
    input_sha256 = sha256_field()
    revision = models.PositiveIntegerField(default=1)
    n_cases = models.PositiveIntegerField()
    computed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("deployment", "start")
        constraints = (
            models.UniqueConstraint(fields=("deployment", "version", "plan", "start"), name="one_run_per_window"),
        )

    def __str__(self) -> str:
        return f"{self.start} to {self.end}"
