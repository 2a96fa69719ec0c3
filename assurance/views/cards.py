"""Model cards: to read, to print, to write section by section, and in and out of other formats."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST

from accounts.permissions import Action, may, require
from assurance import regulation
from assurance.cards.answers import difference
from assurance.evidence.errors import InvalidInput
from assurance.models import CardRevision, Deployment, ModelCard, ModelVersion
from assurance.selectors.cards import all_completeness, card_of, cited_findings, stale_citations
from assurance.selectors.registry import visible_versions
from assurance.selectors.submissions import submitted_revision
from assurance.services.card_checks import problems_of
from assurance.services.cards import ensure_card, publish_card, publish_draft, save_draft
from assurance.views.card_forms import answer_from, shown_answer


def _version(request: HttpRequest, version_id: int) -> ModelVersion:
    return get_object_or_404(visible_versions(request.user), pk=version_id)


def _layer(request: HttpRequest, version: ModelVersion) -> Deployment | None:
    """The deployment of ``?deployment=`` whose local layer is meant; only its own hospital and developer may ask."""
    slug = request.GET.get("deployment") or request.POST.get("deployment")
    if not slug:
        return None
    deployment = get_object_or_404(Deployment.objects.filter(version=version), slug=slug)
    if not may(request.user, Action.SEE, deployment):
        raise Http404
    return deployment


def card(request: HttpRequest, version_id: int) -> HttpResponse:
    """The printed card. A public one needs no account; ``?revision=`` shows an earlier one."""
    public = ModelCard.objects.filter(version_id=version_id, layer="developer", public=True).first()
    if request.user.is_authenticated and visible_versions(request.user).filter(pk=version_id).exists():
        version, deployment = _version(request, version_id), _layer(request, _version(request, version_id))
        found = card_of(version, layer="local" if deployment else "developer", deployment=deployment)
        internal = found is None or may(request.user, Action.SEE, found)
    elif public is not None:
        version, deployment, found, internal = public.version, None, public, False
    elif request.user.is_authenticated:
        raise Http404
    else:
        return redirect(f"/account/login/?next={request.path}")
    if internal or (public is not None and found == public):
        revision = _revision(found, request.GET.get("revision") if internal else None)
    else:  # a regulator reads what was submitted and nothing before it
        revision = submitted_revision(version, request.user) if found else None
    context = {
        "version": version, "card": found, "revision": revision, "deployment": deployment, "internal": internal,
        "sections": _sections(revision), "completeness": all_completeness(revision) if revision else [],
        "titles": {key: one.title for key, one in regulation.catalogue().frameworks.items()},
        "stale": stale_citations(revision) if revision else {}, "findings": _findings(revision),
        "problems": _plausibility(revision),
        "revisions": found.revisions.select_related("author").order_by("-number") if found and internal else [],
        "may_edit": internal and _may_edit(request, version, deployment),
    }  # fmt: skip
    return render(request, "assurance/card.html", context)


def _findings(revision: CardRevision | None) -> dict[str, Any]:
    return cited_findings(revision) if revision else {}


def _plausibility(revision: CardRevision | None) -> list[Any]:
    return problems_of(revision) if revision else []


def _revision(card: ModelCard | None, number: str | None) -> CardRevision | None:
    if card is None:
        return None
    if number:
        return get_object_or_404(card.revisions, number=int(number) if number.isdigit() else 0)
    return card.latest()


def _sections(revision: CardRevision | None) -> list[dict[str, Any]]:
    answers = revision.answers if revision else {}
    sections = []
    for group in regulation.card_schema().groups:
        asked = [field for field in group.fields if not field.local or field.id in answers]
        rows = [{"field": field, "answer": answers.get(field.id), "shown": shown_answer(field, answers.get(field.id))}
                for field in asked]  # fmt: skip
        silent = [field.title for field in asked if field.id not in answers]
        sections.append({"group": group, "rows": rows, "silent": silent, "spoken": len(rows) - len(silent)})
    return sections


def _may_edit(request: HttpRequest, version: ModelVersion, deployment: Deployment | None) -> bool:
    if deployment is not None:
        return may(request.user, Action.EDIT_LOCAL_CARD, deployment)
    return may(request.user, Action.EDIT_CARD, version.model)


@login_required
def card_edit(request: HttpRequest, version_id: int) -> HttpResponse:
    """One section at a time; each answer is saved as it is left, and a revision is kept when the writer says so."""
    version = _version(request, version_id)
    deployment = _layer(request, version)
    by = require(
        request.user, Action.EDIT_LOCAL_CARD if deployment else Action.EDIT_CARD, deployment or version.model,
        request_id=getattr(request, "request_id", ""),
    )  # fmt: skip
    found = ensure_card(version, layer="local" if deployment else "developer", deployment=deployment)
    if request.method == "POST":
        return _save(request, found, by)
    schema = regulation.card_schema()
    last = found.latest()
    answers = found.draft if found.draft_at else (last.answers if last else {})
    section = request.GET.get("section") or schema.groups[0].id
    try:
        group = schema.group(section)
    except InvalidInput as refusal:
        raise Http404(refusal.message) from refusal
    context = {
        "version": version, "card": found, "deployment": deployment, "group": group, "last": last,
        "rows": [_row(field, answers, by_layer=found.layer) for field in group.fields],
        "groups": [_progress(one, answers) for one in schema.groups],
        "changes": difference(last.answers if last else {}, answers) if found.draft_at else [],
        "next": _next_group(schema, group.id),
    }  # fmt: skip
    return render(request, "assurance/card_edit.html", context)


def _row(field: Any, answers: dict[str, Any], *, by_layer: str) -> dict[str, Any]:
    answer = answers.get(field.id)
    return {"field": field, "answer": answer, "text": shown_answer(field, answer)["text"],
            "open_here": field.local == (by_layer == "local") or by_layer == "local"}  # fmt: skip


def _progress(group: Any, answers: dict[str, Any]) -> dict[str, Any]:
    wanted = [field for field in group.fields if field.required != "no"]
    return {"group": group, "of": len(wanted), "done": sum(field.id in answers for field in wanted)}


def _next_group(schema: Any, section: str) -> Any:
    ids = [group.id for group in schema.groups]
    place = ids.index(section) + 1
    return schema.groups[place] if place < len(ids) else None


def _save(request: HttpRequest, card: ModelCard, by: Any) -> HttpResponse:
    """One field from htmx, or the whole draft as a revision."""
    schema = regulation.card_schema()
    if "publish" in request.POST:
        try:
            revision = publish_draft(card, by=by, reason=request.POST.get("reason", ""))
        except InvalidInput as refusal:
            messages.error(request, refusal.message)
        else:
            messages.success(request, f"Revision {revision.number} is kept.")
        return redirect(request.get_full_path())
    try:
        field = schema.field(request.POST.get("field", ""))
        save_draft(card, field=field.id, answer=answer_from(field, request.POST), by=by)
        refusal_text = ""
    except InvalidInput as refusal:
        refusal_text = refusal.message
    if not request.htmx:
        if refusal_text:
            messages.error(request, refusal_text)
        return redirect(request.get_full_path())
    card.refresh_from_db()
    return render(request, "assurance/_card_saved.html", {"refusal": refusal_text, "card": card})


@login_required
def card_difference(request: HttpRequest, version_id: int) -> HttpResponse:
    """What changed between two revisions, field by field."""
    version = _version(request, version_id)
    found = get_object_or_404(ModelCard, version=version, layer="developer")
    if not may(request.user, Action.SEE, found):
        raise Http404
    newest = found.latest()
    after = _revision(found, request.GET.get("to")) or newest
    number = request.GET.get("from") or str(max(1, (after.number if after else 1) - 1))
    before = _revision(found, number)
    schema = regulation.card_schema()
    rows = [
        row | {"title": schema.field(row["field"]).title,
               "old": shown_answer(schema.field(row["field"]), row["before"]),
               "new": shown_answer(schema.field(row["field"]), row["after"])}
        for row in difference(before.answers if before else {}, after.answers if after else {})
    ]  # fmt: skip
    context = {"version": version, "card": found, "before": before, "after": after, "rows": rows}
    return render(request, "assurance/card_difference.html", context)


@login_required
@require_POST
def card_publish(request: HttpRequest, version_id: int) -> HttpResponse:
    version = _version(request, version_id)
    by = require(request.user, Action.APPROVE_CARD, version.model, request_id=getattr(request, "request_id", ""))
    found = get_object_or_404(ModelCard, version=version, layer="developer")
    try:
        publish_card(found, public=request.POST.get("public") == "1", by=by)
    except InvalidInput as refusal:
        messages.error(request, refusal.message)
    return redirect("assurance:card", version_id=version.pk)
