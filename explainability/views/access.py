"""Who may look at a case: the hospital's own people, whoever else may see the deployment."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404

from accounts.permissions import Action, require
from assurance.models import CaseFile, Deployment
from assurance.selectors.deployments import visible_deployments
from explainability.models import Explanation


def deployment_of(request: HttpRequest, slug: str) -> Deployment:
    """404 where the person may not even know of the deployment, 403 where its cases are not theirs to see."""
    found = get_object_or_404(visible_deployments(request.user), slug=slug)  # type: ignore[arg-type]
    require(request.user, Action.SEE_CASES, found)  # type: ignore[arg-type]
    return found


def explanation_of(request: HttpRequest, explanation_id: UUID) -> Explanation:
    rows = Explanation.objects.select_related("deployment", "version__model", "map_file", "overlay")
    mine: Any = visible_deployments(request.user)  # type: ignore[arg-type]
    found = get_object_or_404(rows.filter(deployment__in=mine), pk=explanation_id)
    require(request.user, Action.SEE_CASES, found.deployment)  # type: ignore[arg-type]
    return found


def case_files(deployment: Deployment, case: str) -> dict[str, CaseFile]:
    rows = CaseFile.objects.filter(deployment=deployment, case=case).select_related("artefact")
    return {str(file.role): file for file in rows}
