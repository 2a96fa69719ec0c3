"""What a dossier may be about, by the name that a person types."""

from typing import Any
from uuid import UUID

from assurance.evidence.errors import InvalidInput
from assurance.models import Deployment


def subject_of(name: str) -> dict[str, Any]:
    """Arguments for ``build_dossier``: the deployment with this slug or key."""
    rows = Deployment.objects.select_related("version__model__organisation", "organisation")
    found = rows.filter(slug=name).first()
    if found is None and (key := _uuid(name)):
        found = rows.filter(pk=key).first()
    if found is None:
        known = ", ".join(Deployment.objects.order_by("slug").values_list("slug", flat=True)[:20]) or "none yet"
        raise InvalidInput(
            "unknown_subject", f"no submission and no deployment is called {name!r}: deployments are {known}"
        )
    return {"deployment": found}


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
