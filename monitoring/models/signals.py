"""What each row of a deployment's predictions carries, and where in its arrays."""

from django.db import models

from assurance.models import Deployment


class Signal(models.Model):
    """One column of the deployment's predictions. Signals are only ever added, so earlier rows keep their meaning.

    Numeric signals lie in ``Prediction.numbers`` and categorical ones in ``Prediction.levels``, both at ``position``.
    The score has a column of its own.
    """

    class Kind(models.TextChoices):
        SCORE = "score", "Score"
        NUMERIC = "numeric", "Numeric"
        CATEGORICAL = "categorical", "Categorical"

    deployment = models.ForeignKey(Deployment, on_delete=models.PROTECT, related_name="signals")
    name = models.CharField(max_length=120)
    kind = models.CharField(max_length=12, choices=Kind)
    family = models.CharField(max_length=10, choices=(("input", "Input"), ("output", "Output")))
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ("deployment", "kind", "position")
        constraints = (
            models.UniqueConstraint(fields=("deployment", "name"), name="one_signal_per_name"),
            models.UniqueConstraint(fields=("deployment", "kind", "position"), name="one_signal_per_position"),
        )

    def __str__(self) -> str:
        return self.name
