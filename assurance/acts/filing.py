"""Acts on the file itself: its steps, declarations and evidence."""

import base64
import binascii
from typing import Any

from assurance import regulation
from assurance.acts.reading import APPROVER, AUTHOR, Asking, by_of, named, signing
from assurance.evidence.errors import InvalidInput
from assurance.models import FindingRecord, Submission
from assurance.selectors.cards import latest_revision
from assurance.services import proceedings, submissions
from assurance.services.artefacts import store_artefact
from records.actor import Actor

LARGEST_FILE_BYTES = 32 * 2**20


def move(submission: Submission, request: Asking) -> str:
    step = request.POST.get("transition", "")
    moved = submissions.move_submission(
        submission, transition=step, reason=request.POST.get("reason", ""), **signing(request)
    )
    return f"{moved.label} is now: {regulation.machine().states[moved.state].title}."


def declare(submission: Submission, request: Asking) -> str:
    value = request.POST.get("value", "1") == "1"
    submissions.declare(
        submission, fact=request.POST.get("fact", ""), value=value, by=by_of(submission, request, APPROVER, AUTHOR)
    )
    return "The declaration is recorded."


def add_evidence(submission: Submission, request: Asking) -> str:
    by = by_of(submission, request)
    options: dict[str, Any] = {"title": request.POST.get("title", ""), "reason": request.POST.get("reason", "")}
    standing = request.POST.get("standing", "present")
    if standing == "present":
        options |= _source(submission, request, by)
    number = request.POST.get("request")
    if number:
        options["request"] = named(submission.requests, request, "request", column="number")
    item = submissions.add_evidence(
        submission, kind=request.POST.get("kind", ""), standing=standing, by=by,
        confidential=bool(request.POST.get("confidential")), **options,
    )  # fmt: skip
    return f"{item.title} is on file."


def _source(submission: Submission, request: Asking, by: Actor) -> dict[str, Any]:
    digest = request.POST.get("finding", "").strip().lower()
    if digest:
        seen = FindingRecord.objects.filter(deployment__in=submission.deployments.all()) | FindingRecord.objects.filter(
            version=submission.version
        )
        found = seen.filter(digest__startswith=digest).order_by("-pk").first()
        if found is None or len(digest) < 8:
            raise InvalidInput("unknown_finding", f"no Finding of this submission has the evidence id {digest!r}")
        return {"finding": found}
    upload = request.FILES.get("file")
    if upload is not None:
        if upload.size > LARGEST_FILE_BYTES:
            raise InvalidInput("too_large", f"{upload.name} has {upload.size} bytes: at most {LARGEST_FILE_BYTES}")
        return {
            "artefact": store_artefact(
                upload.read(), organisation_id=by.organisation_id or 0,
                media_type=upload.content_type or "application/octet-stream", description=upload.name,
            )
        }  # fmt: skip
    if request.POST.get("file_base64"):
        return {"artefact": _decoded(request, by)}
    if request.POST.get("card"):
        revision = latest_revision(submission.version)
        if revision is None:
            raise InvalidInput("no_revision", "the version has no card revision yet: write the card first")
        return {"card_revision": revision}
    return {"text": request.POST.get("text", "")}


def withdraw_evidence(submission: Submission, request: Asking) -> str:
    item = named(submission.evidence, request, "item")
    submissions.withdraw_evidence(item, by=by_of(submission, request, AUTHOR), reason=request.POST.get("reason", ""))
    return "Taken back; the trail keeps it."


def not_applicable(submission: Submission, request: Asking) -> str:
    proceedings.mark_not_applicable(
        submission, requirement=request.POST.get("requirement", ""), reason=request.POST.get("reason", ""),
        **signing(request),
    )  # fmt: skip
    return "The requirement is marked as not applicable."


def _decoded(request: Asking, by: Actor) -> Any:
    """A file that came over the HTTP interface, in base 64 beside the other fields."""
    try:
        content = base64.b64decode(request.POST["file_base64"], validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidInput("not_readable", f"file_base64 is not base 64: {error}") from error
    if len(content) > LARGEST_FILE_BYTES:
        raise InvalidInput("too_large", f"file_base64 has {len(content)} bytes: at most {LARGEST_FILE_BYTES}")
    return store_artefact(
        content, organisation_id=by.organisation_id or 0,
        media_type=request.POST.get("media_type", "application/octet-stream"),
        description=request.POST.get("title", ""),
    )  # fmt: skip
