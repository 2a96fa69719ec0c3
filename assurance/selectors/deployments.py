"""Which deployments a person may look at."""

from django.db.models import Q, QuerySet

from accounts.models import Person
from accounts.permissions import organisation_ids
from assurance.models import Deployment


def visible_deployments(person: Person) -> "QuerySet[Deployment]":
    """Those of the person's hospitals, and those that run a version of the person's developer organisation.

    A developer sees states and findings of its own device; cases and images stay with the hospital.
    """
    organisations = organisation_ids(person)
    mine = Q(organisation_id__in=organisations) | Q(version__model__organisation_id__in=organisations)
    return Deployment.objects.filter(mine).select_related("organisation", "version__model")


def may_see_cases(person: Person, deployment: Deployment) -> bool:
    """Patient-level rows and images are for the hospital's own people."""
    return deployment.organisation_id in organisation_ids(person)
