"""Model cards: one working copy that is saved as one writes, and revisions that never change."""

from django.db import models
from django.utils import timezone

from accounts.models import Person
from assurance.models.deployments import Deployment
from assurance.models.fields import sha256_field
from assurance.models.registry import ModelVersion


class ModelCard(models.Model):
    """The card of one version: the developer's layer, or a hospital's local layer for one deployment."""

    class Layer(models.TextChoices):
        DEVELOPER = "developer", "Developer's layer"
        LOCAL = "local", "Hospital's local layer"

    version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="cards")
    layer = models.CharField(max_length=9, choices=Layer, default=Layer.DEVELOPER)
    deployment = models.ForeignKey(Deployment, on_delete=models.PROTECT, null=True, blank=True, related_name="cards")
    draft = models.JSONField(default=dict, help_text="answers since the last revision, saved as one writes")
    draft_by = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, related_name="+")
    draft_at = models.DateTimeField(null=True)
    public = models.BooleanField(default=False, help_text="whether the printed card may be read without an account")
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=("version", "layer", "deployment"), nulls_distinct=False, name="one_card_per_layer"
            ),
            models.CheckConstraint(
                condition=models.Q(layer="developer", deployment=None)
                | models.Q(layer="local", deployment__isnull=False),
                name="only_local_layers_have_a_deployment",
            ),
        )

    def __str__(self) -> str:
        return f"Card of {self.version}" + (f" at {self.deployment}" if self.deployment else "")

    def organisations(self) -> dict[str, set[int]]:
        """The developer's layer is its own, shared with hospitals that run the version; a local layer the reverse."""
        developer = self.version.model.organisation_id
        if self.deployment:
            return {"owner": {self.deployment.organisation_id}, "developer": {developer}}
        hospitals = set(self.version.deployments.values_list("organisation_id", flat=True))
        return {"owner": {developer}, "hospital": hospitals}

    def latest(self) -> "CardRevision | None":
        return self.revisions.order_by("-number").first()


class CardRevision(models.Model):
    """All answers of a card at one time. ``sha256`` is taken over the canonical JSON of the answers."""

    append_only = True

    card = models.ForeignKey(ModelCard, on_delete=models.PROTECT, related_name="revisions")
    number = models.PositiveIntegerField()
    answers = models.JSONField()
    sha256 = sha256_field(db_index=True)
    author = models.ForeignKey(Person, on_delete=models.PROTECT, null=True, related_name="+")
    reason = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ("card", "number")
        constraints = (models.UniqueConstraint(fields=("card", "number"), name="one_revision_per_number"),)

    def __str__(self) -> str:
        return f"{self.card}, revision {self.number}"

    def organisations(self) -> dict[str, set[int]]:
        return self.card.organisations()
