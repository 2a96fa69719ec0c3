"""The explainability app's HTTP interface: ask for a map of a case, read what became of it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Router, Schema
from ninja.responses import Status

from accounts.api_auth import AUTH, caller
from accounts.models import Person
from accounts.permissions import Action
from assurance.evidence.errors import InvalidInput
from assurance.models import Deployment
from assurance.services.pseudonyms import pseudonym
from explainability.faithfulness.caution import CAUTION
from explainability.models import Explanation
from explainability.services.explanations import ask_explanation

router = Router(tags=["explainability"], auth=AUTH)


class ExplanationIn(Schema):
    """``case`` is the pseudonym that findings and pages show, ``case_id`` the sender's own name of the case: give one.
    ``parameters`` are the method's own (such as ``landmark`` and ``component`` of a registration, ``word``),
    ``target`` (a class, a structure, an edge of a box), ``part`` of a segmentation (mask, component, boundary, missed),
    ``seed``, ``precision`` and ``effort`` (brief, quick or full)."""

    method: str
    case: str = ""
    case_id: str = ""
    parameters: dict[str, Any] = {}


class ExplanationOut(Schema):
    id: UUID
    case: str
    method: str
    status: str
    reason: str
    code: str
    barred_reason: str
    caution: str
    facts: dict[str, Any]
    statements: list[dict[str, Any]]
    report_card: list[dict[str, Any]]
    map_sha256: str
    overlay_sha256: str
    created_at: datetime
    finished_at: datetime | None


@router.post("/deployments/{deployment_id}/explanations", response={202: ExplanationOut})
def ask(request: HttpRequest, deployment_id: UUID, body: ExplanationIn) -> Status:
    """Ask for the map of one case. The same question again answers with the same explanation."""
    deployment = get_object_or_404(
        Deployment.objects.select_related("version__model", "organisation"), pk=deployment_id
    )
    by = caller(request, Action.ASK_EXPLANATION, deployment)
    if bool(body.case) == bool(body.case_id):
        raise InvalidInput("bad_case", "give case (the pseudonym) or case_id (your own name of the case), one of them")
    case = body.case or pseudonym(deployment.organisation_id, body.case_id)
    found = ask_explanation(deployment, case=case, method=body.method, parameters=body.parameters, origin="api", by=by)
    return Status(202, _out(found))


@router.get("/explanations/{explanation_id}", response=ExplanationOut)
def explanation(request: HttpRequest, explanation_id: UUID) -> dict[str, Any]:
    """What became of an explanation: its sentences, its report card, or the reason why there is no map."""
    found = get_object_or_404(
        Explanation.objects.select_related("deployment__version__model", "map_file", "overlay"), pk=explanation_id
    )
    person = isinstance(request.auth, Person)  # type: ignore[attr-defined]
    caller(request, Action.SEE_CASES if person else Action.ASK_EXPLANATION, found.deployment)
    return _out(found)


def _out(found: Explanation) -> dict[str, Any]:
    names = ("id", "case", "method", "status", "reason", "code", "barred_reason", "facts", "statements", "report_card",
             "created_at", "finished_at")  # fmt: skip
    return {
        **{name: getattr(found, name) for name in names}, "caution": CAUTION,
        "map_sha256": found.map_file.sha256 if found.map_file else "",
        "overlay_sha256": found.overlay.sha256 if found.overlay else "",
    }  # fmt: skip
