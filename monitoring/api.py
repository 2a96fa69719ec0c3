"""The monitoring app's HTTP interface: predictions and labels in, findings out."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Field, Query, Router, Schema
from ninja.responses import Status

from accounts.api_auth import AUTH, caller
from accounts.models import ApiToken
from accounts.permissions import Action
from assurance.models import Deployment, FindingRecord
from monitoring.models import PredictionBatch
from monitoring.services.intake import accept_batch
from monitoring.services.labels import accept_labels
from monitoring.tasks import start_windows

router = Router(tags=["monitoring"], auth=AUTH)


class RejectOut(Schema):
    row: int
    column: str
    code: str
    reason: str


class BatchOut(Schema):
    """What became of a delivery. ``rejects`` holds the first 100 refused rows; the batch's own address has them all."""

    id: UUID
    rows: int
    accepted: int
    duplicates: int
    rejected: int
    new_columns: list[str]
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


@router.post("/deployments/{deployment_id}/predictions", response={202: BatchOut})
def send_predictions(request: HttpRequest, deployment_id: UUID) -> Status:
    """Send rows as a JSON list, NDJSON, CSV or Parquet, told by Content-Type. Good rows go in, bad ones are refused
    one by one; the same Idempotency-Key with the same body answers as before."""
    deployment = deployment_for(request, deployment_id, Action.SEND_PREDICTIONS)
    batch = accept_batch(
        deployment, content=request.body, media_type=request.content_type or "",
        idempotency_key=request.headers.get("Idempotency-Key", ""), token=_token(request),
    )  # fmt: skip
    return Status(202, _batch(batch, most=100))


@router.get("/batches/{batch_id}", response=BatchOut)
def batch(request: HttpRequest, batch_id: UUID) -> dict[str, Any]:
    """What became of a delivery, with every refused row."""
    found = get_object_or_404(PredictionBatch.objects.select_related("deployment__version__model"), pk=batch_id)
    caller(request, Action.SEND_PREDICTIONS, found.deployment)
    return _batch(found, most=None)


@router.post("/deployments/{deployment_id}/labels", response={202: LabelsOut})
def send_labels(request: HttpRequest, deployment_id: UUID) -> Status:
    """Send what readers found: ``case_id`` with ``label`` (0/1) or a per-case measure such as ``dice``, and
    ``label_time``. A later value of a case replaces the earlier one; windows that it concerns are computed again."""
    deployment = deployment_for(request, deployment_id, Action.SEND_PREDICTIONS)
    outcome = accept_labels(deployment, content=request.body, media_type=request.content_type or "")
    start_windows(deployment)
    return Status(202, outcome)


@router.get("/deployments/{deployment_id}/findings", response=list[FindingOut])
def findings(request: HttpRequest, deployment_id: UUID, filters: Query[FindingFilter]) -> list[FindingRecord]:
    """Current findings whose windows overlap ``from``..``to``, at most 5,000, oldest first."""
    deployment = deployment_for(request, deployment_id, Action.SEE)
    rows = FindingRecord.objects.filter(deployment=deployment, superseded_by=None)
    for name, value in (("signal", filters.signal), ("stratum", filters.stratum), ("quantity", filters.quantity)):
        if value is not None:
            rows = rows.filter(**{name: value})
    if filters.start:
        rows = rows.filter(window_end__gt=filters.start)
    if filters.end:
        rows = rows.filter(window_start__lt=filters.end)
    return list(rows[:5000])


def _token(request: HttpRequest) -> ApiToken | None:
    auth = getattr(request, "auth", None)
    return auth if isinstance(auth, ApiToken) else None


def _batch(found: PredictionBatch, *, most: int | None) -> dict[str, Any]:
    return {
        "id": found.pk, "rows": found.rows, "accepted": found.accepted, "duplicates": found.duplicates,
        "rejected": found.rejected, "new_columns": found.new_columns, "summarised": found.summarised_at is not None,
        "rejects": list(found.rejects.values("row", "column", "code", "reason")[:most]),
    }  # fmt: skip
