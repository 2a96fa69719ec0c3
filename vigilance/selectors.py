"""Incidents for pages, the API and dossiers."""

from datetime import datetime
from typing import Any

from django.db.models import Count, Min, Prefetch, Q, QuerySet

from accounts.models import Person
from accounts.permissions import granted_ids
from assurance.models import Deployment
from assurance.selectors.deployments import visible_deployments
from vigilance.models import Incident, ReportingClock

CLOCKS = Prefetch("clocks", queryset=ReportingClock.objects.order_by("due_at", "pk"))


def visible_incidents(person: Person) -> "QuerySet[Incident]":
    """Those of deployments that the person sees, and those that an access grant shows to their organisation."""
    shown = Q(deployment__in=visible_deployments(person)) | Q(pk__in=granted_ids(person, Incident))
    return Incident.objects.filter(shown).select_related("deployment__organisation", "deployment__version__model")


def with_clock_counts(incidents: "QuerySet[Incident]") -> "QuerySet[Incident]":
    """Adds ``n_running`` and ``next_due`` (earliest first; an incident without running clocks comes last)."""
    running = Q(clocks__reported_at=None, clocks__waived_at=None)
    return incidents.annotate(
        n_running=Count("clocks", filter=running), n_clocks=Count("clocks"),
        next_due=Min("clocks__due_at", filter=running),
    )  # fmt: skip


def incidents_for(subject: Any, *, start: datetime | None = None, end: datetime | None = None) -> "QuerySet[Incident]":
    """Incidents of a deployment, or of the deployments of a submission, that were learnt of in ``[start, end)``.

    A submission names its deployments; one that names none speaks of all deployments of its model version.
    """
    if isinstance(subject, Deployment):
        rows = Incident.objects.filter(deployment=subject)
    else:
        deployments = list(subject.deployments.values_list("pk", flat=True))
        scope = Q(deployment_id__in=deployments) if deployments else Q(deployment__version_id=subject.version_id)
        rows = Incident.objects.filter(scope)
    if start is not None:
        rows = rows.filter(aware_at__gte=start)
    if end is not None:
        rows = rows.filter(aware_at__lt=end)
    return rows.order_by("aware_at").select_related("deployment").prefetch_related(CLOCKS, "actions")


def incidents_of_alarm(alarm_id: int) -> "QuerySet[Incident]":
    return Incident.objects.filter(alarm_id=alarm_id)
