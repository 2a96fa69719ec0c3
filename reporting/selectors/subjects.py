"""What a dossier may be about, by the name that a person types."""

from typing import Any
from uuid import UUID

from assurance.evidence.errors import InvalidInput
from assurance.models import Deployment, Submission


def subject_of(name: str) -> dict[str, Any]:
    """Arguments for ``build_dossier``: the submission with this label (S-0001) or key, else the deployment."""
    key = _uuid(name)
    files = Submission.objects.select_related("organisation", "regulator", "version__model__organisation")
    label = name.upper().removeprefix("S-")
    submission = files.filter(pk=key).first() if key else None
    if submission is None and name.upper().startswith("S-") and label.isdigit():
        submission = files.filter(number=int(label)).first()
    if submission is not None:
        return {"submission": submission}
    rows = Deployment.objects.select_related("version__model__organisation", "organisation")
    found = rows.filter(pk=key).first() if key else rows.filter(slug=name).first()
    if found is None:
        slugs = list(Deployment.objects.order_by("slug").values_list("slug", flat=True)[:20])
        labels = [one.label for one in Submission.objects.order_by("number")[:20]]
        known = ", ".join([*labels, *slugs]) or "none yet"
        raise InvalidInput("unknown_subject", f"no submission and no deployment is called {name!r}: there are {known}")
    return {"deployment": found}


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
