"""The filters that a person kept."""

from django.db.models import QuerySet

from accounts.models import Person
from assurance.models import Deployment
from monitoring.models import SavedView, WeeklySummary


def saved_views(person: Person, *, deployment: Deployment | None) -> "QuerySet[SavedView]":
    return SavedView.objects.filter(person=person, deployment=deployment)


def wants_weekly_summary(person: Person) -> bool:
    return WeeklySummary.objects.filter(person=person).exists()
