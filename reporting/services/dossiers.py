"""Asking for a dossier, downloading it, signing it: every write of this app but the build itself."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from django.contrib.auth import get_user_model
from django.db import connection, transaction

from accounts.models import Organisation, Person
from accounts.row_security import seeing
from accounts.signing import sign as sign_record
from assurance.evidence.errors import InvalidInput, NotComputable
from assurance.jobs import start_job
from assurance.models import Deployment, ModelVersion, Submission
from assurance.services.artefacts import read_artefact, store_artefact
from records.actor import Actor
from records.models import Signature
from records.services import record_event
from reporting.models import Dossier
from reporting.signing.pdf_signature import sign_pdf
from reporting.signing.signers import person_signer, time_stamper

NUMBER_LOCK = 7_283_002
TASK, QUEUE = "reporting.build_dossier", "reports"
LONGEST_DAYS = 3660


@transaction.atomic
def build_dossier(
    *,
    submission: Submission | None = None,
    deployment: Deployment | None = None,
    version: ModelVersion | None = None,
    start: datetime,
    end: datetime,
    audience: str,
    by: Actor,
    purpose: str = "",
    title: str = "",
) -> Dossier:
    """Number a dossier and start its build. The newest one of the same subject and audience is superseded.

    Raises
    ------
    InvalidInput
        ``no_subject``, ``unknown_audience``, ``bad_period``: the message names the value and what is allowed.
    """
    version = version or (submission.version if submission else deployment.version if deployment else None)
    if version is None:
        raise InvalidInput("no_subject", "give a submission, a deployment or a model version that the dossier is about")
    if audience not in Dossier.Audience.values:
        raise InvalidInput(
            "unknown_audience", f"audience {audience!r}: choose one of {', '.join(Dossier.Audience.values)}"
        )
    check_period(start, end)
    subject_owner = submission or deployment or version.model
    owner = by.organisation_id or subject_owner.organisation_id
    earlier = (
        Dossier.objects.filter(
            submission=submission,
            deployment=deployment,
            version__model=version.model,
            audience=audience,
            organisation_id=owner,
            superseded_by=None,
        )
        .exclude(status=Dossier.Status.FAILED)
        .first()
    )
    dossier = Dossier.objects.create(
        number=_next_number(),
        title=(title or _title(version, deployment, submission))[:200],
        purpose=(purpose or "Evidence for review")[:200],
        audience=audience,
        organisation_id=owner,
        submission=submission,
        deployment=deployment,
        version=version,
        start=start,
        end=end,
        salt=secrets.token_hex(16),
        supersedes=earlier,
        requested_by=printed_name(by),
    )
    record_event(
        action="dossier.build",
        subject=dossier,
        by=by,
        new={
            "number": dossier.number,
            "audience": audience,
            "start": start,
            "end": end,
            "version": str(version),
            "deployment": deployment.pk if deployment else None,
            "submission": submission.pk if submission else None,
            "supersedes": earlier.number if earlier else None,
        },
    )
    # The job reads cases of the hospital, whoever asked for the dossier; only sums of them leave it.
    reader = deployment.organisation_id if deployment else owner
    dossier.job = start_job(
        TASK,
        queue=QUEUE,
        title=f"Dossier {dossier.number}",
        arguments={"dossier_id": str(dossier.pk)},
        organisation_id=reader,
    )
    dossier.save(update_fields=("job",))
    return dossier


def check_period(start: datetime, end: datetime) -> None:
    for name, value in (("start", start), ("end", end)):
        if value.tzinfo is None:
            raise InvalidInput("bad_period", f"{name} {value.isoformat()} has no time zone: give one such as +00:00")
    if not start < end:
        raise InvalidInput("bad_period", f"start {start.isoformat()} is not before end {end.isoformat()}")
    if (end - start).days > LONGEST_DAYS:
        raise InvalidInput("bad_period", f"the period has {(end - start).days} days: give at most {LONGEST_DAYS}")


def printed_name(by: Actor) -> str:
    """Name and organisation as the cover prints them."""
    person = (
        get_user_model()._default_manager.filter(pk=by.person_id).values_list("name", flat=True).first()
        or "the instance"
    )
    organisation = Organisation.objects.filter(pk=by.organisation_id).values_list("name", flat=True).first()
    return f"{person}, {organisation}" if organisation else str(person)


def _next_number() -> str:
    """D-2026-0001 and on; numbers are taken one at a time, so that none is given twice."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [NUMBER_LOCK])
    start = f"D-{datetime.now(UTC).year}-"
    last = Dossier.objects.filter(number__startswith=start).order_by("-number").values_list("number", flat=True).first()
    return f"{start}{int(last.removeprefix(start)) + 1 if last else 1:04d}"


def _title(version: ModelVersion, deployment: Deployment | None, submission: Submission | None) -> str:
    if submission is not None:
        return submission.title
    return f"{version.model.name} {version.version}" + (f", {deployment.name}" if deployment else "")


def record_download(dossier: Dossier, *, form: str, by: Actor) -> None:
    """Who took which file, and its hash: an authority's download is part of the record like everybody's."""
    artefact = dossier.pdf if form == "pdf" else dossier.bundle
    if artefact is None:
        raise NotComputable(
            "not_built", f"{dossier.number} has no {form} yet: its build is {dossier.get_status_display().lower()}"
        )
    record_event(action="dossier.download", subject=dossier, by=by, new={"form": form, "sha256": artefact.sha256})


def sign_dossier(
    dossier: Dossier,
    *,
    person: Person,
    password: str,
    code: str,
    meaning: str,
    time_zone: str = "UTC",
    request_id: str = "",
) -> Signature:
    """Sign the frozen contents as a person, and put that signature visibly into the PDF; the bundle follows.

    Raises
    ------
    NotComputable
        ``not_built``: there is no sealed PDF yet.
    PermissionDenied, ValidationError
        As ``accounts.signing.sign``.
    """
    from reporting.services.build import make_bundle, readable

    if dossier.pdf is None:
        raise NotComputable("not_built", f"{dossier.number} has no PDF yet: wait for its build")
    with seeing([dossier.organisation_id]), transaction.atomic():
        locked = Dossier.objects.select_for_update(of=("self",)).select_related("pdf").get(pk=dossier.pk)
        assert locked.pdf is not None  # noqa: S101
        signature = sign_record(
            locked,
            content_sha256=locked.contents_sha256,
            meaning=meaning,
            person=person,
            password=password,
            code=code,
            time_zone=time_zone,
            request_id=request_id,
        )
        organisation = (
            Organisation.objects.filter(pk=signature.organisation_id).values_list("name", flat=True).first() or ""
        )
        signed = sign_pdf(
            read_artefact(locked.pdf),
            signer=person_signer(name=person.name, organisation=organisation),
            name=person.name,
            organisation=organisation,
            meaning=meaning,
            at=signature.signed_at.astimezone(ZoneInfo(time_zone)),
            time_zone=time_zone,
            time_stamper=time_stamper(),
        )
        locked.pdf = store_artefact(
            signed,
            organisation_id=locked.organisation_id,
            media_type="application/pdf",
            description=f"{locked.number}, signed by {person.name}",
        )
        locked.signers = [
            *locked.signers,
            {"name": person.name, "meaning": meaning, "at": signature.signed_at.isoformat()},
        ]
        locked.save(update_fields=("pdf", "signers"))
        by = Actor(person.pk, signature.organisation_id, signature.role, request_id)
        record_event(
            action="dossier.sign",
            subject=locked,
            by=by,
            reason=meaning,
            new={"pdf_sha256": locked.pdf.sha256, "signature": signature.pk},
        )
    with seeing(readable(locked)):
        make_bundle(locked)
    return signature
