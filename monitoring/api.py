"""The monitoring app's HTTP interface: predictions and labels in, findings out."""

import io
from datetime import UTC, date, datetime
from typing import Any, BinaryIO, cast
from uuid import UUID

from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from ninja import Field, Query, Router, Schema
from ninja.responses import Status

from accounts.api_auth import AUTH, caller
from accounts.models import ApiToken
from accounts.permissions import Action
from assurance.evidence.errors import InvalidInput
from assurance.evidence.moments import in_utc
from assurance.models import Deployment, FindingRecord
from monitoring.intake.formats import MOST_JSON_BYTES, encoding_of
from monitoring.intake.unpack import unpacked
from monitoring.models import PredictionBatch
from monitoring.services import rejects, window_reports
from monitoring.services.fhir_door import accept_bundle, outcome_as_fhir
from monitoring.services.labels import accept_label_stream
from monitoring.services.receiving import receive_batch
from monitoring.services.spool import Limited
from monitoring.tasks import start_windows
from monitoring.views.window_report import report_answer

router = Router(tags=["monitoring"], auth=AUTH)


# Bodies are read as streams, so their shape is written here by hand.
_ROW = {"type": "object", "properties": {
    "case_id": {"type": "string"}, "study_time": {"type": "string", "format": "date-time"}, "site": {"type": "string"},
    "patient_id": {"type": "string"}, "score": {"type": "number", "minimum": 0, "maximum": 1},
    "label": {"type": "number", "enum": [0, 1]}}, "additionalProperties": True}  # fmt: skip
_TEXT = {"schema": {"type": "string", "format": "binary"}}
TABLE_BODY = {"requestBody": {"required": True, "content": {
    "application/json": {"schema": {"type": "array", "items": _ROW}}, "application/x-ndjson": _TEXT, "text/csv": _TEXT,
    "application/vnd.apache.parquet": _TEXT}}}  # fmt: skip
BUNDLE_BODY = {"requestBody": {"required": True, "content": {"application/fhir+json": {"schema": {
    "type": "object", "properties": {"resourceType": {"type": "string"}, "entry": {"type": "array"}},
    "required": ["resourceType"]}}}}}  # fmt: skip


class RejectOut(Schema):
    row: int
    column: str
    code: str
    value: str
    reason: str


class BatchOut(Schema):
    """What became of a delivery. While ``status`` is "received" its counts are not known yet and are null.

    ``rejects`` holds the first 100 refused rows; the batch's own address has them all, its ``rejects.csv`` as a file.
    """

    id: UUID
    status: str
    reason: str
    rows: int | None
    accepted: int | None
    corrected: int | None
    duplicates: int | None
    set_aside: int | None
    rejected: int | None
    reasons: dict[str, int]
    removed: dict[str, int]
    new_columns: list[str]
    missing_columns: list[str]
    summarised: bool
    rejects: list[RejectOut]


class LabelsOut(Schema):
    rows: int
    accepted: int
    rejected: int
    rejects: list[RejectOut]


class FindingOut(Schema):
    digest: str
    family: str
    content: dict[str, Any]


class FindingFilter(Schema):
    start: datetime | None = Field(None, alias="from")
    end: datetime | None = Field(None, alias="to")
    signal: str | None = None
    stratum: str | None = None
    quantity: str | None = None


def deployment_for(request: HttpRequest, deployment_id: UUID, action: Action) -> Deployment:
    deployment = get_object_or_404(
        Deployment.objects.select_related("version__model", "organisation"), pk=deployment_id
    )
    caller(request, action, deployment)
    return deployment


@router.post("/deployments/{deployment_id}/predictions", response={202: BatchOut}, openapi_extra=TABLE_BODY)
def send_predictions(request: HttpRequest, deployment_id: UUID) -> Status:
    """Send rows as a JSON list, NDJSON, CSV or Parquet, told by Content-Type, plain or as Content-Encoding gzip or
    zstd. Good rows go in, bad ones are refused one by one; the same Idempotency-Key with the same body answers as
    before. A small delivery (1 MiB as sent, unless set otherwise) is worked through before the answer, which then has
    its counts; a large one is kept safe and answered with status "received": ask its address for what became of it."""
    deployment = deployment_for(request, deployment_id, Action.SEND_PREDICTIONS)
    batch = receive_batch(
        deployment, source=body_of(request), media_type=request.content_type or "",
        encoding=request.headers.get("Content-Encoding", ""),
        idempotency_key=request.headers.get("Idempotency-Key", ""), token=_token(request),
    )  # fmt: skip
    return Status(202, _batch(batch, most=100))


@router.get("/batches/{batch_id}", response=BatchOut)
def batch(request: HttpRequest, batch_id: UUID) -> dict[str, Any]:
    """What became of a delivery, with every refused row."""
    found = get_object_or_404(PredictionBatch.objects.select_related("deployment__version__model"), pk=batch_id)
    caller(request, Action.SEND_PREDICTIONS, found.deployment)
    return _batch(found, most=None)


@router.get("/batches/{batch_id}/rejects.csv", response={200: str})
def batch_rejects(request: HttpRequest, batch_id: UUID) -> StreamingHttpResponse:
    """The refused rows of a delivery as CSV: row, column, code, value, reason."""
    found = get_object_or_404(PredictionBatch.objects.select_related("deployment__version__model"), pk=batch_id)
    caller(request, Action.SEND_PREDICTIONS, found.deployment)
    return rejects_file(found)


@router.post("/deployments/{deployment_id}/labels", response={202: LabelsOut}, openapi_extra=TABLE_BODY)
def send_labels(request: HttpRequest, deployment_id: UUID) -> Status:
    """Send what readers found: ``case_id`` with ``label`` (0/1) or a per-case measure such as ``dice``, and
    ``label_time``. A later value of a case replaces the earlier one; windows that it concerns are computed again."""
    deployment = deployment_for(request, deployment_id, Action.SEND_PREDICTIONS)
    outcome = accept_label_stream(
        deployment, source=body_of(request), media_type=request.content_type or "",
        encoding=request.headers.get("Content-Encoding", ""),
    )  # fmt: skip
    start_windows(deployment)
    return Status(202, outcome)


@router.post("/deployments/{deployment_id}/fhir", response={202: dict[str, Any]}, openapi_extra=BUNDLE_BODY)
def send_bundle(request: HttpRequest, deployment_id: UUID, site: str = "") -> Status:
    """Send a FHIR R4 Bundle of Observation, DiagnosticReport, ImagingStudy and Provenance. What a Device made is a
    prediction, what a person made a label; the answer is an OperationOutcome with one issue for each refused entry."""
    deployment = deployment_for(request, deployment_id, Action.SEND_PREDICTIONS)
    outcome = accept_bundle(
        deployment, content=whole_body(request), site=site[:60], token=_token(request),
        idempotency_key=request.headers.get("Idempotency-Key", ""),
    )  # fmt: skip
    if outcome.labels is not None:
        start_windows(deployment)
    return Status(202, outcome_as_fhir(outcome))


@router.get("/deployments/{deployment_id}/findings", response=list[FindingOut])
def findings(request: HttpRequest, deployment_id: UUID, filters: Query[FindingFilter]) -> list[FindingRecord]:
    """Current findings whose windows overlap ``from``..``to``, at most 5,000, oldest first."""
    deployment = deployment_for(request, deployment_id, Action.SEE)
    rows = FindingRecord.objects.filter(deployment=deployment, superseded_by=None)
    for name, value in (("signal", filters.signal), ("stratum", filters.stratum), ("quantity", filters.quantity)):
        if value is not None:
            if "\x00" in value:
                raise InvalidInput("bad_filter", f"{name} holds a NUL character: give text")
            rows = rows.filter(**{name: value})
    if filters.start:
        rows = rows.filter(window_end__gt=in_utc(filters.start))
    if filters.end:
        rows = rows.filter(window_start__lt=in_utc(filters.end))
    return list(rows[:5000])


class ReportOut(Schema):
    """``status`` is none, queued, running, failed or made; ``opinions`` say, signal by signal, what differs and why."""

    status: str
    step: str = ""
    reason: str = ""
    tool: str = ""
    made_at: datetime | None = None
    stale: bool = False
    opinions: list[dict[str, Any]] = []


REPORT = "/deployments/{deployment_id}/windows/{start}/{end}/evidently"


@router.post(REPORT, response={202: ReportOut})
def ask_report(request: HttpRequest, deployment_id: UUID, start: date, end: date) -> Status:
    """Ask for Evidently's HTML report of a computed window (first day, first day after it). It is made in a job."""
    deployment = deployment_for(request, deployment_id, Action.SEE_CASES)
    by = caller(request, Action.SEE_CASES, deployment)
    job = window_reports.ask_window_report(deployment, start=start, end=end, by=by)
    return Status(202, {"status": job.status, "step": job.step})


@router.get(REPORT, response=ReportOut)
def report(request: HttpRequest, deployment_id: UUID, start: date, end: date) -> dict[str, Any]:
    """How far the report is and, once made, each signal's verdict there beside ours, with why they differ."""
    deployment = deployment_for(request, deployment_id, Action.SEE_CASES)
    made = window_reports.latest_report(deployment, start=start, end=end)
    job = window_reports.report_job(deployment, start=start, end=end)
    if job is not None and (made is None or job.status in ("queued", "running")):
        return {"status": job.status, "step": job.step, "reason": job.reason}
    if made is None:
        return {"status": "none"}
    return {"status": "made", "tool": made.tool, "made_at": made.made_at, "stale": window_reports.is_stale(made),
            "opinions": made.opinions}  # fmt: skip


@router.get(REPORT + ".html", response={200: str})
def report_html(request: HttpRequest, deployment_id: UUID, start: date, end: date) -> HttpResponse:
    """The report itself, a page to keep as a file."""
    deployment = deployment_for(request, deployment_id, Action.SEE_CASES)
    made = window_reports.latest_report(deployment, start=start, end=end)
    if made is None:
        raise Http404("no report of this window has been made: POST asks for one")
    return report_answer(deployment, made, download=True)


def _utc(moment: datetime) -> datetime:
    """In UTC; one without zone is taken as UTC. Offsets that a clock can show and a database cannot are brought in."""
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError as error:
        raise InvalidInput("bad_time", f"{moment} lies outside the years 1 to 9999") from error


def _token(request: HttpRequest) -> ApiToken | None:
    auth = getattr(request, "auth", None)
    return auth if isinstance(auth, ApiToken) else None


def body_of(request: HttpRequest) -> BinaryIO:
    """The request's body as a stream that tells a cut upload from a whole one."""
    promised = request.META.get("CONTENT_LENGTH") or ""
    length = int(promised) if str(promised).isdigit() else None
    return cast(BinaryIO, io.BufferedReader(Limited(cast(BinaryIO, request), promised=length), 2**18))


def whole_body(request: HttpRequest) -> bytes:
    """A body that is needed whole, unpacked, within the limit of a JSON document."""
    encoding = encoding_of(request.headers.get("Content-Encoding", ""))
    content = unpacked(body_of(request), encoding=encoding, most=MOST_JSON_BYTES).read(MOST_JSON_BYTES + 1)
    if len(content) > MOST_JSON_BYTES:
        raise InvalidInput("too_large", f"a bundle may have {MOST_JSON_BYTES} bytes: send it in parts")
    return content


def rejects_file(batch: PredictionBatch) -> StreamingHttpResponse:
    content = list(rejects.as_csv(batch))  # read while this request may see the rows
    answer = StreamingHttpResponse(iter(content), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="rejects-{batch.pk}.csv"'
    return answer


def _batch(found: PredictionBatch, *, most: int | None) -> dict[str, Any]:
    waiting = found.status == PredictionBatch.Status.RECEIVED
    counts = {
        name: None if waiting else getattr(found, name)
        for name in ("rows", "accepted", "corrected", "duplicates", "set_aside", "rejected")
    }
    return {
        "id": found.pk, "status": found.status, "reason": found.reason, **counts,
        "reasons": dict(found.rejects.order_by().values_list("code").annotate(Count("pk"))), "removed": found.removed,
        "new_columns": found.new_columns, "missing_columns": found.missing_columns,
        "summarised": found.summarised_at is not None,
        "rejects": list(found.rejects.order_by("row", "pk").values("row", "column", "code", "value", "reason")[:most]),
    }  # fmt: skip
