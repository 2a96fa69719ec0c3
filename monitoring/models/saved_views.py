"""A choice of filters that a person keeps under a name, and who gets the weekly summary."""

from django.conf import settings
from django.db import models
from django.utils import timezone

from assurance.models import Deployment


class SavedView(models.Model):
    """The query of a page under a title; ``deployment`` is None for the fleet."""

    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="saved_views")
    deployment = models.ForeignKey(Deployment, on_delete=models.CASCADE, null=True, related_name="saved_views")
    title = models.CharField(max_length=60)
    query = models.CharField(max_length=500, blank=True)
    saved_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("title",)
        constraints = (
            models.UniqueConstraint(
                fields=("person", "deployment", "title"), nulls_distinct=False, name="one_saved_view_per_title"
            ),
        )

    def __str__(self) -> str:
        return self.title


class WeeklySummary(models.Model):
    """A person who wants the fleet's week in words by mail; ``sent_for`` is the Monday of the last one."""

    person = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="weekly_summary")
    asked_at = models.DateTimeField(default=timezone.now)
    sent_for = models.DateField(null=True)

    def __str__(self) -> str:
        return str(self.person)
