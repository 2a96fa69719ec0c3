"""Coverage of the frameworks by a submission's evidence, and what changed since it was signed."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from assurance import regulation
from assurance.evidence.errors import InvalidInput
from assurance.selectors.changes import changes_since_signed
from assurance.selectors.coverage import coverage_of, coverage_totals, cross_framework
from assurance.selectors.evidence import pieces_of
from assurance.selectors.submissions import side_for, visible_submissions


@login_required
def coverage(request: HttpRequest, submission_id: Any) -> HttpResponse:
    """The matrix of all frameworks; ``?framework=`` opens one, ``?state=`` keeps some of its rows."""
    found = get_object_or_404(visible_submissions(request.user), pk=submission_id)
    pieces = pieces_of(found)
    chosen = request.GET.get("framework", "")
    rows, framework = [], None
    if chosen:
        try:
            framework = regulation.catalogue().framework(chosen)
        except InvalidInput as refusal:
            raise Http404(refusal.message) from refusal
        rows = coverage_of(found, framework=chosen, pieces=pieces)
    state = request.GET.get("state", "")
    if state:
        rows = [row for row in rows if row.state == state or (state == "stale" and row.stale)]
    profile = regulation.profile_from(found.profile_terms)
    rank = {key: place for place, key in enumerate(profile.frameworks)}
    context = {
        "submission": found, "framework": framework, "rows": rows, "state": state, "profile": profile,
        "side": side_for(found, request.user), "totals": sorted(
            coverage_totals(found, pieces=pieces), key=lambda row: rank.get(row.framework.id, len(rank))
        ),
    }  # fmt: skip
    return render(request, "assurance/coverage.html", context)


@login_required
def coverage_across(request: HttpRequest, submission_id: Any) -> HttpResponse:
    """One piece of evidence and every requirement that it serves, over all frameworks."""
    found = get_object_or_404(visible_submissions(request.user), pk=submission_id)
    return render(request, "assurance/coverage_across.html", {"submission": found, "services": cross_framework(found)})


@login_required
def submission_changes(request: HttpRequest, submission_id: Any) -> HttpResponse:
    """What changed since the file was signed, the requirements it touches, and whose approval must be renewed."""
    found = get_object_or_404(visible_submissions(request.user), pk=submission_id)
    return render(
        request, "assurance/submission_changes.html", {"submission": found, "report": changes_since_signed(found)}
    )
