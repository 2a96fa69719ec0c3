"""One Finding: the number, and everything needed to believe, repeat or refute it."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render

from assurance.models import FindingRecord
from assurance.selectors.deployments import visible_deployments
from assurance.services.method_pages import read_method


@login_required
def finding(request: HttpRequest, digest: str) -> HttpResponse:
    """By full or short evidence id; ``?format=json`` gives the canonical content that the digest is taken over."""
    records = FindingRecord.objects.filter(deployment__in=visible_deployments(request.user)).select_related(
        "deployment__organisation", "version__model", "superseded_by"
    )
    matching = records.filter(digest__startswith=digest).order_by("-pk")
    record = get_object_or_404(matching[:1])
    if request.GET.get("format") == "json":
        return JsonResponse({"digest": record.digest, "content": record.content})
    context = {"record": record, "content": record.content, "method_page": read_method(record.content["method"]["key"])}
    return render(request, "assurance/finding.html", context)
