"""Models with their lineage, and each version with its hashes, card and bill of materials."""

import json

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from accounts.permissions import Action, may
from assurance.models import CardRevision, ModelVersion, RunningSoftware, VersionRequest
from assurance.selectors.cards import card_of
from assurance.selectors.registry import (
    ancestors_of,
    deployments_of,
    descendants_of,
    newer_base,
    visible_models,
    visible_versions,
)
from assurance.selectors.submissions import submitted_revision, visible_submissions
from assurance.services.bill_of_materials import bill_of_materials
from assurance.views.lineage_picture import lineage_picture
from assurance.views.registering import places_of


@login_required
def model_list(request: HttpRequest) -> HttpResponse:
    rows = []
    for model in visible_models(request.user):
        versions = list(model.versions.order_by("-created_at"))
        newest = versions[0] if versions else None
        rows.append({"model": model, "versions": len(versions), "newest": newest,
                     "base_changed": bool(newest and newer_base(newest)),
                     "revision": _revision(request, newest) if newest else None})  # fmt: skip
    context = {
        "rows": rows, "may_register": places_of(request, Action.REGISTER_MODEL, "developer").exists(),
        "may_deploy": places_of(request, Action.MANAGE_DEPLOYMENT, "hospital").exists(),
    }  # fmt: skip
    return render(request, "assurance/model_list.html", context)


@login_required
def model(request: HttpRequest, slug: str) -> HttpResponse:
    found = get_object_or_404(visible_models(request.user), slug=slug)
    versions = list(found.versions.select_related("base__model").order_by("-created_at"))
    rows = [
        {"version": version, "newer": newer_base(version), "revision": _revision(request, version)}
        for version in versions
    ]
    may_register = may(request.user, Action.REGISTER_MODEL, found)
    asked = found.version_requests.select_related("result", "author")
    context = {
        "model": found, "rows": rows, "picture": _picture(request, versions), "may_register": may_register,
        "requests": asked.exclude(status=VersionRequest.Status.REGISTERED) if may_register else [],
    }  # fmt: skip
    return render(request, "assurance/model.html", context)


@login_required
def version(request: HttpRequest, version_id: int) -> HttpResponse:
    found = get_object_or_404(visible_versions(request.user), pk=version_id)
    card = card_of(found)
    context = {
        "version": found, "newer": newer_base(found), "card": card, "revision": _revision(request, found),
        "descendants": descendants_of(found), "deployments": deployments_of(found, request.user),
        "submissions": visible_submissions(request.user).filter(version=found), "picture": _picture(request, [found]),
        "preprocessing": _lines(found.preprocessing), "thresholds": _lines(found.thresholds),
        "may_deploy": places_of(request, Action.MANAGE_DEPLOYMENT, "hospital").exists(),
        "other_software": RunningSoftware.objects.filter(
            deployment__in=deployments_of(found, request.user), agrees=False
        ).select_related("deployment"),
        "may_edit_card": may(request.user, Action.EDIT_CARD, found.model),
    }  # fmt: skip
    return render(request, "assurance/version.html", context)


@login_required
def version_bill(request: HttpRequest, version_id: int) -> HttpResponse:
    """The CycloneDX bill of materials of a version."""
    found = get_object_or_404(visible_versions(request.user), pk=version_id)
    answer = HttpResponse(bill_of_materials(found), content_type="application/vnd.cyclonedx+json; version=1.6")
    name = f"{found.model.slug}-{found.version}.cdx.json"
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer


def _revision(request: HttpRequest, version: ModelVersion) -> CardRevision | None:
    """The newest revision for the card's own people; for a regulator the one that was submitted."""
    card = card_of(version)
    if card is None or may(request.user, Action.SEE, card):
        return card.latest() if card else None
    return submitted_revision(version, request.user)


def _picture(request: HttpRequest, versions: list) -> object:  # type: ignore[type-arg]
    """The lineage around ``versions``: what they were made from, what was made from them, where they run."""
    wanted = {one.pk for one in versions} | ancestors_of(one.pk for one in versions)
    for one in versions:
        wanted |= {below.pk for below in descendants_of(one)}
    seen = visible_versions(request.user).filter(pk__in=wanted)
    nodes = [(one, newer_base(one) is not None, list(deployments_of(one, request.user))) for one in seen]
    return lineage_picture(nodes, marked={one.pk for one in versions} if len(versions) == 1 else set())


def _lines(content: dict) -> str:  # type: ignore[type-arg]
    return json.dumps(content, indent=2, ensure_ascii=False, sort_keys=True) if content else ""
