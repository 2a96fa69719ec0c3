"""FHIR bundles through the door: results as predictions, readers' resources as labels, every odd entry told."""

import hashlib
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from accounts.models import ApiToken
from assurance.models import Deployment
from monitoring.intake.fhir import read_bundle
from monitoring.intake.json_rows import columns_of_rows
from monitoring.models import PredictionBatch
from monitoring.services.intake import accept_columns, checked_key, known_batch
from monitoring.services.labels import LabelOutcome, accept_label_columns

MEDIA_TYPES = ("application/fhir+json",)


@dataclass
class FhirOutcome:
    batch: PredictionBatch
    labels: LabelOutcome | None
    known: bool = False


@transaction.atomic
def accept_bundle(
    deployment: Deployment, *, content: bytes, site: str = "", idempotency_key: str = "",
    token: ApiToken | None = None, door: str = "fhir",
) -> FhirOutcome:  # fmt: skip
    """Take one Bundle in, predictions and labels together or not at all.

    Raises
    ------
    InvalidInput
        What :func:`read_bundle` refuses as a whole, ``key_reused``, ``deployment_retired``.
    """
    sha256 = hashlib.sha256(content).hexdigest()
    known = known_batch(deployment, checked_key(deployment, idempotency_key, sha256), sha256)
    if known:
        return FhirOutcome(known, None, known=True)
    found = read_bundle(content)
    rows = [{**row, **({"site": site} if site else {})} for row in found.predictions.values()]
    batch = accept_columns(
        deployment, sha256=sha256, size=len(content),
        pieces=iter([columns_of_rows(rows, found.refused, numbers=[found.places[case] for case in found.predictions])]),
        media_type=MEDIA_TYPES[0], door=door, idempotency_key=idempotency_key, token=token,
    )  # fmt: skip
    for what, n in found.removed.items():
        batch.removed[what] = batch.removed.get(what, 0) + n
    batch.save(update_fields=("removed",))
    labels = None
    if found.labels:
        numbers = [found.places[case] for case in found.labels]
        labels = accept_label_columns(
            deployment, iter([columns_of_rows(list(found.labels.values()), [], numbers=numbers)])
        )
    return FhirOutcome(batch, labels)


def outcome_as_fhir(outcome: FhirOutcome) -> dict[str, Any]:
    """An OperationOutcome: one issue for each refused entry, and one that says what went in."""
    batch = outcome.batch
    told = f"{batch.accepted} predictions in, {batch.duplicates} known already, {batch.rejected} entries refused"
    if outcome.labels is not None:
        told += f"; {outcome.labels.accepted} labels in, {len(outcome.labels.refused)} refused"
    issues: list[dict[str, Any]] = [
        {"severity": "information", "code": "informational", "diagnostics": f"{told}; batch {batch.pk}"}
    ]
    rejects = list(batch.rejects.order_by("row").values_list("row", "code", "reason"))
    rejects += [(one.row, one.code, one.reason) for one in (outcome.labels.refused if outcome.labels else [])]
    issues += [
        {"severity": "error", "code": "invalid", "diagnostics": f"{code}: {reason}",
         "expression": [f"Bundle.entry[{row - 1}]"]}
        for row, code, reason in rejects
    ]  # fmt: skip
    return {"resourceType": "OperationOutcome", "issue": issues}
