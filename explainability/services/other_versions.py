"""The same map of another version, for the check of reproducibility."""

from __future__ import annotations

from assurance.evidence.finding import Method
from assurance.services.artefacts import read_artefact
from explainability.attribution.attribution import Attribution
from explainability.models import Explanation
from explainability.services.map_files import unpack_map


def other_map(explanation: Explanation) -> tuple[Attribution | None, str]:
    """The newest map of this case, method and parameters by another version of the deployment, and its name."""
    found = (
        Explanation.objects.filter(
            deployment=explanation.deployment,
            case=explanation.case,
            method=explanation.method,
            parameters_sha256=explanation.parameters_sha256,
            status=Explanation.Status.DONE,
        )
        .exclude(version=explanation.version)
        .select_related("map_file", "version__model")
        .order_by("-finished_at")
        .first()
    )
    if found is None or found.map_file is None:
        return None, ""
    values, _, facts = unpack_map(read_artefact(found.map_file))
    attribution = Attribution(
        values=values, grid_values=values, method=Method(found.method, "stored map", facts["version"]),
        target=facts["target"], unit=facts["unit"], signed=facts["signed"], f_x=facts["f_x"],
    )  # fmt: skip
    return attribution, str(found.version)
