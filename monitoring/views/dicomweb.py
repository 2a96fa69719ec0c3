"""STOW-RS: DICOM objects by ``POST /dicomweb/studies``, every instance answered for in DICOM JSON."""

import io
from contextlib import ExitStack
from typing import Any, BinaryIO, cast

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST
from ninja.errors import HttpError

from accounts.api_auth import TokenAuth, caller
from accounts.models import ApiToken
from accounts.permissions import Action
from assurance.evidence.errors import InvalidInput, Unavailable
from assurance.models import Deployment
from monitoring.intake.dicom.objects import StudyPart
from monitoring.intake.multipart import boundary_of, parts
from monitoring.services.dicom_door import MOST_OBJECTS, DicomOutcome, accept_objects
from monitoring.services.spool import Limited

# PS3.18 table I.2-2 and PS3.4 table B.2-1
FAILURES = {"other_class": 0x0122, "too_large": 0xA700, "too_many_objects": 0xA700, "spool_full": 0xA700}
CANNOT_UNDERSTAND, DOES_NOT_MATCH, ELEMENTS_DISCARDED = 0xC000, 0xA900, 0xB006
UNREADABLE = {"not_dicom", "damaged", "too_deep"}


@csrf_exempt
@require_POST
def store(request: HttpRequest, study: str = "") -> HttpResponse:
    """``?deployment=`` names the deployment unless the token is for one; ``?site=`` its site where it has several."""
    token = TokenAuth()(request)
    if not isinstance(token, ApiToken):
        return JsonResponse({"code": "no_token", "message": "give a token as Authorization: Bearer"}, status=401)
    request.auth = token  # type: ignore[attr-defined]
    deployment = _deployment(request, token)
    if deployment is None:
        return JsonResponse(
            {"code": "no_deployment", "message": "name the deployment: ?deployment=, by its slug or id"}, status=404
        )
    try:
        caller(request, Action.SEND_PREDICTIONS, deployment)
        with ExitStack() as files:
            outcome = accept_objects(
                deployment, _objects(request, files), site=request.GET.get("site", "").strip()[:60], token=token
            )
            return _answer(outcome, study)
    except HttpError as error:
        return JsonResponse({"code": "not_allowed", "message": str(error)}, status=error.status_code)
    except InvalidInput as refusal:
        status = {"unknown_format": 415, "too_large": 413, "too_many_objects": 413}.get(refusal.code, 400)
        return JsonResponse(refusal.as_dict(), status=status)
    except Unavailable as refusal:
        return JsonResponse(refusal.as_dict(), status=503)


def _deployment(request: HttpRequest, token: ApiToken) -> Deployment | None:
    rows = Deployment.objects.filter(organisation_id=token.organisation_id).select_related("version__model")
    name = request.GET.get("deployment", "").strip()
    if token.deployment_id:
        rows = rows.filter(pk=token.deployment_id)
        return rows.filter(slug=name).first() or (rows.first() if name in ("", str(token.deployment_id)) else None)
    if not name:
        return None
    return rows.filter(slug=name).first() or (rows.filter(pk=name).first() if len(name) == 36 else None)


def _objects(request: HttpRequest, files: ExitStack) -> list[BinaryIO]:
    kind, boundary = boundary_of(request.META.get("CONTENT_TYPE", ""))
    if kind not in ("", "application/dicom"):
        raise InvalidInput("unknown_format", f"parts of type {kind[:60]!r}: give application/dicom")
    promised = str(request.META.get("CONTENT_LENGTH") or "")
    length = int(promised) if promised.isdigit() else None
    body = cast(BinaryIO, io.BufferedReader(Limited(cast(BinaryIO, request), promised=length), 2**18))
    found = []
    for media_type, file in parts(body, boundary, most=settings.INTAKE_LIMIT_BYTES, most_parts=MOST_OBJECTS):
        files.enter_context(file)
        if media_type != "application/dicom":
            raise InvalidInput("unknown_format", f"a part of type {media_type[:60]!r}: give application/dicom")
        found.append(file)
    return found


def _answer(outcome: DicomOutcome, study: str) -> HttpResponse:
    stored, failed = [_stored(part, known=False) for part in outcome.stored], list(outcome.failed)
    stored += [_stored(part, known=True) for part in outcome.known]
    content: dict[str, Any] = {}
    if stored:
        content["00081199"] = {"vr": "SQ", "Value": stored}
    if failed:
        content["00081198"] = {"vr": "SQ", "Value": [_failed(part, refusal) for part, refusal in failed]}
    told = any("00081196" in item for item in stored)
    status = 409 if not stored else 202 if failed or told else 200
    answer = JsonResponse(content, status=status, content_type="application/dicom+json")
    if outcome.batch is not None:
        answer["X-Vigil-Batch"] = str(outcome.batch.pk)
    return answer


def _named(part: StudyPart) -> dict[str, Any]:
    return {
        "00081150": {"vr": "UI", "Value": [part.sop_class] if part.sop_class else []},
        "00081155": {"vr": "UI", "Value": [part.sop_instance] if part.sop_instance else []},
    }


def _stored(part: StudyPart, *, known: bool) -> dict[str, Any]:
    item = _named(part)
    told = [f"{defect.code} at {defect.where}: {defect.text}" for defect in part.reading.defects]
    if known:
        told = ["known: this instance came before and was not taken twice"]
    if told:
        item["00081196"] = {"vr": "US", "Value": [ELEMENTS_DISCARDED]}
        item |= _words(told)
    return item


def _failed(part: StudyPart, refusal: InvalidInput) -> dict[str, Any]:
    reason = FAILURES.get(refusal.code, CANNOT_UNDERSTAND if refusal.code in UNREADABLE else DOES_NOT_MATCH)
    item = _named(part) | {"00081197": {"vr": "US", "Value": [reason]}}
    return item | _words([f"{refusal.code}: {refusal.message}"])


def _words(told: list[str]) -> dict[str, Any]:
    """What is wrong in words, in a private block: the standard's own elements hold a number only."""
    return {"00090010": {"vr": "LO", "Value": ["VIGIL"]}, "00091001": {"vr": "UT", "Value": told}}
