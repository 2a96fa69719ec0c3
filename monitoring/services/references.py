"""Freezing a reference set: the cases that every later window is compared with."""

import hashlib

from django.db import transaction
from django.utils import timezone

from assurance.evidence.errors import InvalidInput
from assurance.models import Deployment
from monitoring.drift.state import to_bytes
from monitoring.models import PredictionBatch, ReferenceSet, ReferenceState
from monitoring.services.day_states import states_of
from monitoring.services.embedding_days import keep_reference
from records.actor import Actor
from records.services import record_event


@transaction.atomic
def freeze_reference(deployment: Deployment, *, name: str, description: str, by: Actor) -> ReferenceSet:
    """Make the reference set of the deployment's version from its batches sent for that purpose.

    Raises
    ------
    InvalidInput
        ``no_reference_rows`` when no reference batch has an accepted row; ``reason_missing`` without a description.
    """
    if not description.strip():
        raise InvalidInput("reason_missing", "description is empty: say where these cases come from")
    batches = reference_batches(deployment)
    states = states_of(deployment, batches=batches, by_day=False) if batches else {}
    if not states:
        raise InvalidInput("no_reference_rows", f"{deployment} has no accepted rows sent as a reference set")
    contents = {signal: (to_bytes(state), state) for (_, _, signal), state in states.items()}
    whole = hashlib.sha256()
    for signal in sorted(contents):
        whole.update(signal.encode() + b"\x00" + hashlib.sha256(contents[signal][0]).digest())
    ReferenceSet.objects.filter(deployment=deployment, version=deployment.version, replaced_at=None).update(
        replaced_at=timezone.now()
    )
    reference = ReferenceSet.objects.create(
        deployment=deployment, version=deployment.version, name=name, description=description,
        n_cases=max(state.n + state.missing for _, state in contents.values()), sha256=whole.hexdigest(),
    )  # fmt: skip
    ReferenceState.objects.bulk_create(
        [
            ReferenceState(reference=reference, signal=signal, content=content, n=state.n)
            for signal, (content, state) in contents.items()
        ]
    )
    embedded = keep_reference(reference, batches=batches)
    record_event(
        action="reference.freeze", subject=reference, by=by, reason=description,
        new={"n_cases": reference.n_cases, "sha256": reference.sha256, "signals": sorted(contents),
             "embeddings": embedded.n if embedded else 0},
    )  # fmt: skip
    return reference


def reference_batches(deployment: Deployment) -> list:  # type: ignore[type-arg]
    return list(
        PredictionBatch.objects.filter(
            deployment=deployment, purpose=PredictionBatch.Purpose.REFERENCE, accepted__gt=0
        ).values_list("pk", flat=True)
    )


def reference_of(deployment: Deployment) -> ReferenceSet | None:
    return ReferenceSet.objects.filter(deployment=deployment, version=deployment.version, replaced_at=None).first()
