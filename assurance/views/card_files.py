"""Cards out to other formats and in from them, with a list of what did not fit."""

import json

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render

from accounts.permissions import Action, may, require
from assurance import regulation
from assurance.cards.answers import difference
from assurance.cards.exchange import LARGEST_BYTES
from assurance.cards.formats import WRITERS, read_card, write_card
from assurance.cards.vigil_json import json_schema
from assurance.evidence.errors import InvalidInput
from assurance.selectors.cards import card_of, latest_revision
from assurance.selectors.registry import visible_versions
from assurance.selectors.submissions import submitted_revision
from assurance.services.card_checks import facts_of
from assurance.services.cards import ensure_card, import_draft


@login_required
def card_export(request: HttpRequest, version_id: int, form: str) -> HttpResponse:
    """The newest revision in the format ``form``; ``?left_out=1`` lists the fields that it cannot hold."""
    version = get_object_or_404(visible_versions(request.user), pk=version_id)
    card = card_of(version)
    insider = card is not None and may(request.user, Action.SEE, card)
    revision = latest_revision(version) if insider else submitted_revision(version, request.user)
    if revision is None or form not in WRITERS:
        raise Http404
    written = write_card(form, revision.answers, regulation.card_schema(), facts_of(version, revision))
    if request.GET.get("left_out"):
        return JsonResponse({"format": form, "left_out": list(written.left_out)})
    answer = HttpResponse(written.content, content_type=written.media_type)
    name = f"{version.model.slug}-{version.version}-{written.file_name}"
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    answer["X-Vigil-Left-Out"] = str(len(written.left_out))
    return answer


@login_required
def card_import(request: HttpRequest, version_id: int) -> HttpResponse:
    """Read a foreign card into the draft and show what came in and what did not fit; a reload leads to the editor."""
    if request.method != "POST":
        return redirect("assurance:card_edit", version_id=version_id)
    version = get_object_or_404(visible_versions(request.user), pk=version_id)
    by = require(request.user, Action.EDIT_CARD, version.model, request_id=getattr(request, "request_id", ""))
    upload = request.FILES.get("file")
    try:
        if upload is None:
            raise InvalidInput("no_file", "no file was given: choose a card")
        if upload.size > LARGEST_BYTES:
            raise InvalidInput(
                "too_large", f"{upload.name} has {upload.size} bytes: a card has at most {LARGEST_BYTES}"
            )
        form, read = read_card(upload.read(), regulation.card_schema())
        before, after, left = import_draft(ensure_card(version), read=read, source=f"{upload.name} ({form})", by=by)
    except InvalidInput as refusal:
        messages.error(request, refusal.message)
        return redirect("assurance:card_edit", version_id=version.pk)
    context = {
        "version": version, "format": form, "rows": difference(before, after), "left_over": left, "read": read.answers,
    }  # fmt: skip
    return render(request, "assurance/card_imported.html", context)


def card_json_schema(request: HttpRequest) -> HttpResponse:
    """The JSON Schema of our exchange format; public, it holds nobody's data."""
    text = json.dumps(json_schema(regulation.card_schema()), indent=1, ensure_ascii=False)
    return HttpResponse(text, content_type="application/schema+json")
