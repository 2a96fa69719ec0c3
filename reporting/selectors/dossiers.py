"""Which dossiers a person sees, and their files once the door has allowed it."""

from django.db.models import Q, QuerySet

from accounts.models import Person
from accounts.permissions import organisation_ids
from accounts.row_security import seeing
from assurance.evidence.errors import NotComputable
from assurance.selectors.submissions import open_to_regulator
from assurance.services.artefacts import read_artefact
from reporting.models import Dossier

RELATED = (
    "organisation",
    "submission__regulator",
    "deployment__organisation",
    "version__model__organisation",
    "job",
    "supersedes",
)


def visible_dossiers(person: Person) -> "QuerySet[Dossier]":
    """Those of the person's organisations; those not internal about their deployment or device."""
    mine = organisation_ids(person)
    shared = Q(deployment__organisation_id__in=mine) | Q(version__model__organisation_id__in=mine)
    shared |= Q(submission__deployments__organisation_id__in=mine)
    shared |= Q(submission__regulator_id__in=mine) & open_to_regulator("submission__")
    shared = shared & ~Q(audience=Dossier.Audience.INTERNAL)
    return Dossier.objects.filter(Q(organisation_id__in=mine) | shared).distinct().select_related(*RELATED)


def file_of(dossier: Dossier, form: str) -> bytes:
    """The PDF or the bundle. The door has asked whether this person may; row security is opened for this file alone."""
    artefact = dossier.pdf if form == "pdf" else dossier.bundle
    if artefact is None:
        state = dossier.get_status_display().lower()
        raise NotComputable("not_built", f"{dossier.number} has no {form} yet: it is {state}")
    with seeing([dossier.organisation_id]):
        return read_artefact(artefact)
