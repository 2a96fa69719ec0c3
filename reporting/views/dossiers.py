"""Dossiers: the list, asking for one, its page with the live build, its files and its signatures."""

from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from accounts.permissions import Action, may, require
from accounts.row_security import seeing
from accounts.signing import has_totp, signatures_of
from assurance.evidence.errors import InvalidInput, NotComputable, Unavailable
from assurance.models import Deployment, Submission
from assurance.selectors.deployments import visible_deployments
from assurance.selectors.submissions import visible_submissions
from reporting.api import MEDIA_TYPES, file_response
from reporting.models import Dossier
from reporting.selectors.compare import contents_of
from reporting.selectors.dossiers import visible_dossiers
from reporting.services import dossiers as services

MEANINGS = (
    "Authorship: the contents are complete to my knowledge.",
    "Approval for release to the named audience.",
    "Receipt of this dossier.",
)


@login_required
def dossier_list(request: HttpRequest) -> HttpResponse:
    rows = visible_dossiers(request.user)
    audience = request.GET.get("audience", "")
    if audience in Dossier.Audience.values:
        rows = rows.filter(audience=audience)
    deployments = [d for d in visible_deployments(request.user) if may(request.user, Action.BUILD_DOSSIER, d)]
    submissions = [s for s in visible_submissions(request.user) if may(request.user, Action.BUILD_DOSSIER, s)]
    today = timezone.now().date()
    context = {
        "page": Paginator(rows, 30).get_page(request.GET.get("page")),
        "audience": audience,
        "audiences": Dossier.Audience.choices,
        "deployments": deployments,
        "submissions": submissions,
        "chosen": request.GET.get("about", ""),
        "end": today + timedelta(days=1),
        "start": today - timedelta(days=365),
    }
    return render(request, "reporting/dossier_list.html", context)


@login_required
@require_POST
def dossier_build(request: HttpRequest) -> HttpResponse:
    kind, _, key = request.POST.get("subject", "").partition(":")
    about: Deployment | Submission
    if kind == "submission" and key.isdigit():
        about = get_object_or_404(visible_submissions(request.user), number=int(key))
    else:
        about = get_object_or_404(visible_deployments(request.user), slug=key)
    by = require(request.user, Action.BUILD_DOSSIER, about, request_id=getattr(request, "request_id", ""))
    try:
        made = services.build_dossier(
            submission=about if isinstance(about, Submission) else None,
            deployment=about if isinstance(about, Deployment) else None,
            start=_day(request.POST.get("start", ""), "start"),
            end=_day(request.POST.get("end", ""), "end"),
            audience=request.POST.get("audience", ""),
            purpose=request.POST.get("purpose", "").strip(),
            by=by,
        )
    except InvalidInput as refusal:
        messages.error(request, refusal.message)
        return redirect("reporting:dossier_list")
    return redirect("reporting:dossier", dossier_id=made.pk)


@login_required
def dossier(request: HttpRequest, dossier_id: UUID) -> HttpResponse:
    """One dossier. While it is being built, htmx asks for its progress alone."""
    found = get_object_or_404(visible_dossiers(request.user), pk=dossier_id)
    require(request.user, Action.SEE, found)
    if request.htmx:
        response = render(request, "reporting/_progress.html", {"dossier": found})
        if found.status != Dossier.Status.BUILDING or (found.job and found.job.finished_at):
            response["HX-Refresh"] = "true"
        return response
    contents = None
    with seeing([found.organisation_id]):
        pdf, bundle = found.pdf, found.bundle
        if found.contents_id and found.status != Dossier.Status.BUILDING:
            try:
                contents = contents_of(found)
            except Unavailable as refusal:
                messages.error(request, refusal.message)
    others = visible_dossiers(request.user).filter(version__model=found.version.model, status=Dossier.Status.READY)
    context = {
        "dossier": found,
        "pdf": pdf,
        "bundle": bundle,
        "contents": contents,
        "gaps": contents.gaps() if contents else [],
        "failed": [contents.evidence[key] for key in contents.banner.failed[:12]] if contents else [],
        "others": others.exclude(pk=found.pk)[:20],
        "later": found.superseded_by.first(),
        "may_download": may(request.user, Action.DOWNLOAD_DOSSIER, found),
        "may_sign": may(request.user, Action.SIGN, found),
        "has_totp": has_totp(request.user),
        "meanings": MEANINGS,
        "signatures": signatures_of(found, content_sha256=found.contents_sha256),
    }
    return render(request, "reporting/dossier.html", context)


@login_required
def dossier_file(request: HttpRequest, dossier_id: UUID, form: str) -> HttpResponse:
    """PDF or bundle; each download is an event of the audit trail."""
    if form not in MEDIA_TYPES:
        raise Http404
    found = get_object_or_404(visible_dossiers(request.user), pk=dossier_id)
    by = require(request.user, Action.DOWNLOAD_DOSSIER, found, request_id=getattr(request, "request_id", ""))
    try:
        return file_response(found, form, by)
    except (NotComputable, Unavailable) as refusal:
        messages.error(request, refusal.message)
        return redirect("reporting:dossier", dossier_id=found.pk)


@login_required
@require_POST
def dossier_sign(request: HttpRequest, dossier_id: UUID) -> HttpResponse:
    found = get_object_or_404(visible_dossiers(request.user), pk=dossier_id)
    try:
        services.sign_dossier(
            found,
            person=request.user,
            password=request.POST.get("password", ""),
            code=request.POST.get("code", ""),
            meaning=request.POST.get("meaning", "").strip()[:200] or MEANINGS[0],
            request_id=getattr(request, "request_id", ""),
        )
    except (InvalidInput, NotComputable, Unavailable) as refusal:
        messages.error(request, refusal.message)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        messages.success(request, f"{found.number} carries your signature.")
    return redirect("reporting:dossier", dossier_id=found.pk)


def _day(text: str, name: str) -> datetime:
    try:
        return datetime.combine(date.fromisoformat(text), time(), tzinfo=UTC)
    except ValueError as error:
        raise InvalidInput("bad_period", f"{name} {text!r} is not a day: give one such as 2026-01-31") from error
