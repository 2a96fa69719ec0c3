"""One Finding: the number, and everything needed to believe, repeat or refute it."""

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from accounts.models import Person
from assurance.models import FindingRecord
from assurance.selectors.deployments import visible_deployments
from assurance.selectors.evidence import findings_for
from assurance.selectors.submissions import evidence_seen_by, side_for, visible_submissions
from assurance.services.method_pages import read_method


@login_required
def finding(request: HttpRequest, digest: str) -> HttpResponse:
    """By full or short evidence id; ``?format=json`` gives the canonical content that the digest is taken over."""
    records = FindingRecord.objects.filter(digest__startswith=digest).select_related(
        "deployment__organisation", "version__model", "superseded_by"
    )
    record = next((one for one in records.order_by("-pk")[:20] if may_see_finding(request.user, one)), None)
    if record is None:
        raise Http404("no such evidence")
    if request.GET.get("format") == "json":
        return JsonResponse({"digest": record.digest, "content": record.content})
    watched = visible_deployments(request.user).filter(pk=record.deployment_id).exists()
    context = {
        "record": record, "content": record.content, "method_page": read_method(record.content["method"]["key"]),
        "watched": watched,
    }  # fmt: skip
    return render(request, "assurance/finding.html", context)


def may_see_finding(person: Person, record: FindingRecord) -> bool:
    """Findings of a deployment that the person sees, and those on a file that was brought before the person."""
    if visible_deployments(person).filter(pk=record.deployment_id).exists():
        return True
    return any(
        evidence_seen_by(file, side_for(file, person)).filter(finding=record).exists()
        or findings_for(submission=file).filter(pk=record.pk).exists()
        for file in visible_submissions(person)
    )
