"""The assurance app's HTTP interface: open a submission, take its steps, read where it stands."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied, ValidationError
from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Body, Field, Router, Schema
from ninja.errors import HttpError
from ninja.responses import Status

from accounts.api_auth import AUTH, caller, caller_organisations
from accounts.models import ApiToken, Organisation, Person
from accounts.permissions import Action
from assurance.acts import ACTS, Asked
from assurance.evidence.errors import InvalidInput
from assurance.models import Deployment, ModelVersion, Submission
from assurance.selectors.submissions import visible_submissions
from assurance.services.running_software import note_running_software
from assurance.services.submission_sides import memberships_in
from assurance.services.submissions import allowed_transitions, move_submission, start_submission

router = Router(tags=["assurance"], auth=AUTH)


class SubmissionIn(Schema):
    """``organisation`` and ``regulator`` are slugs, ``deployments`` slugs of deployments that run ``version``."""

    organisation: str
    regulator: str
    version: int
    title: str = Field(max_length=200)
    profile: str
    deployments: list[str] = []


class StepOut(Schema):
    transition: str
    to: str
    by: list[str]
    sign: list[str]
    mine: bool
    missing: list[str]


class SubmissionOut(Schema):
    id: UUID
    number: int
    title: str
    state: str
    profile: str
    snapshot_sha256: str
    receipt: str
    next: list[StepOut]


class StepIn(Schema):
    """``password`` and ``code`` (one-time) are needed where the step is signed."""

    transition: str
    reason: str = ""
    password: str = ""
    code: str = ""


@router.post("/submissions", response={201: SubmissionOut})
def post_submission(request: HttpRequest, body: SubmissionIn) -> Any:
    """Open a draft for a version of your own before a regulator's programme (``profile``)."""
    mine = Organisation.objects.filter(pk__in=caller_organisations(request))
    organisation = get_object_or_404(mine, slug=body.organisation)
    version = get_object_or_404(ModelVersion.objects.filter(model__organisation=organisation), pk=body.version)
    by = caller(request, Action.EDIT_SUBMISSION, Submission(organisation=organisation))
    regulator = Organisation.objects.filter(slug=body.regulator, kind=Organisation.Kind.REGULATOR).first()
    if regulator is None:
        raise InvalidInput("wrong_regulator", f"regulator {body.regulator!r} is not known: give a regulator's slug")
    places = list(Deployment.objects.filter(slug__in=body.deployments, version=version))
    unknown = sorted(set(body.deployments) - {place.slug for place in places})
    if unknown:
        raise InvalidInput("other_version", f"deployments {', '.join(unknown)} do not run this version")
    submission = start_submission(
        organisation=organisation, regulator=regulator, version=version, deployments=places, profile=body.profile,
        title=body.title, by=by,
    )  # fmt: skip
    return Status(201, _out(submission, _person(request)))


@router.get("/submissions/{submission_id}", response=SubmissionOut)
def get_submission(request: HttpRequest, submission_id: UUID) -> Any:
    """Where a submission stands and which steps lead on, each with what is still missing."""
    submission = get_object_or_404(visible_submissions(_person(request)), pk=submission_id)
    caller(request, Action.SEE, submission)
    return _out(submission, _person(request))


@router.post("/submissions/{submission_id}/transitions", response=SubmissionOut)
def post_transition(request: HttpRequest, submission_id: UUID, body: StepIn) -> Any:
    """Take one step (t02 to t31). 403 when it is not yours, 422 with what is missing when it is not ready."""
    person = _person(request)
    submission = get_object_or_404(visible_submissions(person), pk=submission_id)
    caller(request, Action.EDIT_SUBMISSION if _token(request) else Action.SEE, submission)
    try:
        moved = move_submission(
            submission, transition=body.transition, person=person, reason=body.reason, password=body.password,
            code=body.code, request_id=getattr(request, "request_id", ""),
        )  # fmt: skip
    except PermissionDenied as refusal:
        raise HttpError(403, str(refusal)) from refusal
    except ValidationError as refusal:
        raise InvalidInput("signature_refused", " ".join(refusal.messages)) from refusal
    return _out(moved, person)


class SoftwareIn(Schema):
    """What runs, by its own word: at least one of the three."""

    version: str = Field("", max_length=80)
    weights_sha256: str = ""
    container_digest: str = ""


class SoftwareOut(Schema):
    """``differences`` holds [part, reported, registered] of what is not as registered."""

    agrees: bool
    differences: list[list[str]]
    times: int
    first_at: datetime
    last_at: datetime


@router.post("/deployments/{deployment_id}/software", response=SoftwareOut)
def post_software(request: HttpRequest, deployment_id: UUID, body: SoftwareIn) -> Any:
    """Say what the software of a deployment is. One that is not the registered version proposes a suspension."""
    deployment = get_object_or_404(Deployment.objects.select_related("version__model"), pk=deployment_id)
    by = caller(request, Action.SEND_PREDICTIONS, deployment)
    return note_running_software(
        deployment, by=by, version=body.version, weights_sha256=body.weights_sha256,
        container_digest=body.container_digest,
    )  # fmt: skip


class ActOut(Schema):
    """``done`` is the sentence that the workspace shows; ``submission`` where the file stands now."""

    done: str
    submission: SubmissionOut


@router.post("/submissions/{submission_id}/acts/{act}", response=ActOut)
def post_act(request: HttpRequest, submission_id: UUID, act: str, body: Body[dict[str, str]]) -> Any:
    """Any act of the workspace by its name, with the fields of its form: a question, an answer, a plan, an extension,
    a real-world test, an exit paper, an appeal. An unknown name is refused with those that there are."""
    if act not in ACTS:
        raise InvalidInput("unknown_act", f"act {act!r} is not known: choose from {', '.join(sorted(ACTS))}")
    if any("\x00" in name + value for name, value in body.items()):
        raise InvalidInput("not_text", "a field holds the character NUL: give text")
    person = _person(request)
    submission = get_object_or_404(visible_submissions(person), pk=submission_id)
    if _token(request):
        _caller_of_party(request, submission)
    asked = Asked(user=person, POST=body, FILES={}, request_id=getattr(request, "request_id", ""))
    try:
        done = ACTS[act](submission, asked)
    except PermissionDenied as refusal:
        raise HttpError(403, str(refusal)) from refusal
    except ValidationError as refusal:
        raise InvalidInput("signature_refused", " ".join(refusal.messages)) from refusal
    submission.refresh_from_db()
    return {"done": done, "submission": _out(submission, person)}


def _caller_of_party(request: HttpRequest, submission: Submission) -> None:
    """A token acts for its person within its own organisation, which must be a party of the submission."""
    token = _token(request)
    assert token is not None  # noqa: S101 -- asked for tokens only
    parties = {key for keys in submission.organisations().values() for key in keys}
    if token.organisation_id not in parties or token.deployment_id is not None:
        raise Http404
    if any(one.organisation_id != token.organisation_id for one in memberships_in(submission, token.person)):
        raise HttpError(403, "this token's person also acts for another organisation in this submission: sign in")
    if Action.EDIT_SUBMISSION not in token.verbs:
        raise HttpError(403, f"this token may {', '.join(token.verbs)}, not {Action.EDIT_SUBMISSION}")


def _token(request: HttpRequest) -> ApiToken | None:
    auth = getattr(request, "auth", None)
    return auth if isinstance(auth, ApiToken) else None


def _person(request: HttpRequest) -> Person:
    token = _token(request)
    return token.person if token else request.auth  # type: ignore[attr-defined, no-any-return]


def _out(submission: Submission, person: Person) -> dict[str, Any]:
    return {
        "id": submission.pk, "number": submission.number, "title": submission.title, "state": submission.state,
        "profile": submission.profile, "snapshot_sha256": submission.snapshot_sha256, "receipt": submission.receipt,
        "next": [
            {"transition": step.transition.id, "to": step.transition.target, "by": list(step.transition.by),
             "sign": list(step.transition.sign), "mine": step.mine, "missing": list(step.missing)}
            for step in allowed_transitions(submission, person)
        ],
    }  # fmt: skip
