"""The reporting app's HTTP interface: ask for a dossier, follow its build, take its files."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Router, Schema
from ninja.responses import Status

from accounts.api_auth import AUTH, caller
from accounts.models import Person
from accounts.permissions import Action, require
from accounts.row_security import seeing
from assurance.evidence.errors import InvalidInput
from assurance.evidence.moments import in_utc
from assurance.models import Deployment, Submission
from records.actor import Actor
from reporting.models import Dossier
from reporting.selectors.dossiers import RELATED, file_of
from reporting.services import dossiers

router = Router(tags=["reporting"], auth=AUTH)
MEDIA_TYPES = {"pdf": "application/pdf", "zip": "application/zip"}


class DossierIn(Schema):
    """What it is about: a submission or a deployment. Period: start inclusive, end exclusive, both with time zone.
    ``audience``: public, regulator or internal."""

    submission: UUID | None = None
    deployment: UUID | None = None
    start: datetime
    end: datetime
    audience: str = "regulator"
    purpose: str = ""
    title: str = ""


class DossierOut(Schema):
    id: UUID
    number: str
    title: str
    audience: str
    status: str
    step: str
    percent: int
    pages: int
    contents_sha256: str
    pdf_sha256: str
    bundle_sha256: str
    supersedes: str
    verification: dict[str, Any] | None


@router.post("/dossiers", response={202: DossierOut})
def ask_for_dossier(request: HttpRequest, order: DossierIn) -> Status:
    """Start the build of a dossier; its address tells how far it is."""
    subject: dict[str, Any] = {}
    if order.submission is not None:
        files = Submission.objects.select_related("organisation", "regulator", "version__model")
        subject["submission"] = get_object_or_404(files, pk=order.submission)
    elif order.deployment is not None:
        rows = Deployment.objects.select_related("version__model", "organisation")
        subject["deployment"] = get_object_or_404(rows, pk=order.deployment)
    else:
        raise InvalidInput("no_subject", "give a submission or a deployment that the dossier is about")
    by = caller(request, Action.BUILD_DOSSIER, next(iter(subject.values())))
    made = dossiers.build_dossier(
        **subject,
        start=in_utc(order.start) if order.start.tzinfo else order.start,
        end=in_utc(order.end) if order.end.tzinfo else order.end,
        audience=order.audience,
        purpose=order.purpose,
        title=order.title,
        by=by,
    )
    return Status(202, _out(made))


@router.get("/dossiers/{uuid:dossier_id}", response=DossierOut)
def dossier(request: HttpRequest, dossier_id: UUID) -> dict[str, Any]:
    found, _ = _found(request, dossier_id, Action.SEE)
    return _out(found)


@router.get("/dossiers/{uuid:dossier_id}.pdf", response={200: bytes})
def dossier_pdf(request: HttpRequest, dossier_id: UUID) -> HttpResponse:
    """The signed PDF. Each download is an event of the audit trail."""
    return download(request, dossier_id, "pdf")


@router.get("/dossiers/{uuid:dossier_id}.zip", response={200: bytes})
def dossier_bundle(request: HttpRequest, dossier_id: UUID) -> HttpResponse:
    """The bundle that verifies alone. Each download is an event of the audit trail."""
    return download(request, dossier_id, "zip")


def download(request: HttpRequest, dossier_id: UUID, form: str) -> HttpResponse:
    found, by = _found(request, dossier_id, Action.DOWNLOAD_DOSSIER)
    return file_response(found, form, by)


def file_response(found: Dossier, form: str, by: Actor) -> HttpResponse:
    content = file_of(found, form)
    dossiers.record_download(found, form=form, by=by)
    response = HttpResponse(content, content_type=MEDIA_TYPES[form])
    response["Content-Disposition"] = f'attachment; filename="{found.number}.{form}"'
    response["Cache-Control"] = "private, no-store"
    return response


def _found(request: HttpRequest, dossier_id: UUID, action: Action) -> tuple[Dossier, Actor]:
    found = get_object_or_404(Dossier.objects.select_related(*RELATED), pk=dossier_id)
    auth: Any = request.auth  # type: ignore[attr-defined]
    if isinstance(auth, Person):
        return found, require(auth, action, found, request_id=getattr(request, "request_id", ""))
    if action is Action.DOWNLOAD_DOSSIER:  # a token that may build may take what was built
        action = Action.SEE if Action.SEE in auth.verbs else Action.BUILD_DOSSIER
    if found.organisation_id != auth.organisation_id:
        raise Http404
    return found, caller(request, action, found)


def _out(found: Dossier) -> dict[str, Any]:
    job = found.job
    with seeing([found.organisation_id]):
        pdf, bundle = found.pdf, found.bundle
    return {
        "id": found.pk,
        "number": found.number,
        "title": found.title,
        "audience": found.audience,
        "status": found.status,
        "step": job.step or job.get_status_display() if job else "",
        "percent": 100 if found.bundle_id else job.percent if job else 0,
        "pages": found.pages,
        "contents_sha256": found.contents_sha256,
        "pdf_sha256": pdf.sha256 if pdf else "",
        "bundle_sha256": bundle.sha256 if bundle else "",
        "supersedes": found.supersedes.number if found.supersedes else "",
        "verification": found.verification,
    }
