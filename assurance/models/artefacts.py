"""Files by content: the SHA-256 is the name, so that equal bytes are stored once and no reference can go stale."""

from django.db import models
from django.utils import timezone

from accounts.models import Organisation
from assurance.models.fields import sha256_field


class Artefact(models.Model):
    """One stored file of one organisation. The bytes lie in the artefact storage under their hash."""

    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="artefacts")
    sha256 = sha256_field()
    media_type = models.CharField(max_length=100)
    size = models.BigIntegerField()
    description = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = (models.UniqueConstraint(fields=("organisation", "sha256"), name="one_artefact_per_content"),)

    def __str__(self) -> str:
        return self.sha256[:12]
