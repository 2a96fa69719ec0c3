"""Second opinions on whole windows, made when somebody asks."""

from django.db import models
from django.utils import timezone

from assurance.models import Artefact, Deployment, ModelVersion


class WindowReport(models.Model):
    """Evidently's HTML report of one window, with the signals on which its verdict differs from ours and why."""

    deployment = models.ForeignKey(Deployment, on_delete=models.PROTECT, related_name="window_reports")
    version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="+")
    start = models.DateField()
    end = models.DateField(help_text="first day after the window")
    artefact = models.ForeignKey(Artefact, on_delete=models.PROTECT, related_name="+")
    tool = models.CharField(max_length=60)
    opinions = models.JSONField(help_text="for each signal: their method, value, threshold and verdict, ours, and why")
    n_cases = models.PositiveIntegerField()
    made_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("-made_at",)
        indexes = (models.Index(fields=("deployment", "start", "end"), name="monitoring_report_window"),)

    def __str__(self) -> str:
        return f"{self.tool} on {self.start} to {self.end}"
