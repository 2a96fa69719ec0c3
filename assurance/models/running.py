"""What the software at a deployment says of itself, beside what is registered."""

from django.db import models
from django.utils import timezone

from assurance.models.deployments import Deployment


class RunningSoftware(models.Model):
    """One identity that a deployment reported, kept once; ``agrees`` compares it with the registered version."""

    deployment = models.ForeignKey(Deployment, on_delete=models.PROTECT, related_name="running_software")
    version = models.CharField(max_length=80, blank=True)
    weights_sha256 = models.CharField(max_length=64, blank=True)
    container_digest = models.CharField(max_length=80, blank=True)
    agrees = models.BooleanField()
    differences = models.JSONField(default=list, help_text="[part, reported, registered] of what does not agree")
    door = models.CharField(max_length=20, help_text="software: told by itself; predictions: stood in delivered rows")
    times = models.PositiveIntegerField(default=1)
    first_at = models.DateTimeField(default=timezone.now, editable=False)
    last_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("deployment", "-last_at")
        constraints = (
            models.UniqueConstraint(
                fields=("deployment", "version", "weights_sha256", "container_digest"), name="one_running_software"
            ),
        )

    def __str__(self) -> str:
        return f"{self.deployment} runs {self.version or self.weights_sha256[:12] or self.container_digest[:19]}"

    def organisations(self) -> dict[str, set[int]]:
        return self.deployment.organisations()
