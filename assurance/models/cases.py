"""Files of cases: the image that the model saw, the reader's mask, the model's output."""

from django.db import models
from django.utils import timezone

from accounts.models import Organisation
from assurance.models.artefacts import Artefact
from assurance.models.deployments import Deployment


class CaseFile(models.Model):
    """One file of one case. Patient-level: row security limits it to the organisation's own people and jobs."""

    class Role(models.TextChoices):
        IMAGE = "image", "Image"
        TRUTH = "truth", "Reader's mask"
        OUTPUT = "output", "Model output"

    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="+")
    deployment = models.ForeignKey(Deployment, on_delete=models.PROTECT, related_name="case_files")
    case = models.CharField(max_length=64)
    role = models.CharField(max_length=8, choices=Role)
    artefact = models.ForeignKey(Artefact, on_delete=models.PROTECT, related_name="+")
    facts = models.JSONField(default=dict, help_text="spacing_mm, prompt, score, site, study_time and the like")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("deployment", "case", "role"), name="one_file_per_role"),)

    def __str__(self) -> str:
        return f"{self.role} of {self.case[:12]}"
