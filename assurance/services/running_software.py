"""What a deployment's software says that it is, compared with the version that is registered there."""

from typing import Any

from django.db import transaction
from django.utils import timezone

from assurance.evidence.checks import is_sha256
from assurance.evidence.errors import InvalidInput
from assurance.models import Deployment, ModelVersion, RunningSoftware, Submission
from assurance.services.endings import propose_suspension
from assurance.services.registry import CONTAINER
from records.actor import SYSTEM, Actor
from records.canonical import content_hash
from records.services import record_event

LONGEST_NAME = 80


@transaction.atomic
def note_running_software(
    deployment: Deployment, *, by: Actor, version: str = "", weights_sha256: str = "", container_digest: str = "",
    door: str = "software",
) -> RunningSoftware:  # fmt: skip
    """Keep what runs at ``deployment`` by its own word. The same word again only counts and moves the last time.

    When it is not the registered version, each running test that the deployment belongs to gets one proposal to
    suspend; people decide about it. ``version`` is compared with the registered name, with or without the model's.

    Raises
    ------
    InvalidInput
        ``nothing_said``, ``not_sha256``, ``not_a_digest``, ``too_long``.
    """
    version, weights_sha256, container_digest = (
        version.strip(),
        weights_sha256.strip().lower(),
        container_digest.strip(),
    )
    if not (version or weights_sha256 or container_digest):
        raise InvalidInput("nothing_said", "give version, weights_sha256 or container_digest: what is it that runs?")
    if len(version) > LONGEST_NAME:
        raise InvalidInput("too_long", f"version has {len(version)} characters: give at most {LONGEST_NAME}")
    if weights_sha256:
        is_sha256(weights_sha256)
    if container_digest and not CONTAINER.match(container_digest):
        raise InvalidInput(
            "not_a_digest", f"container_digest {container_digest!r}: give sha256:<64 hexadecimal digits>"
        )
    differences = _differences(deployment.version, version, weights_sha256, container_digest)
    now = timezone.now()
    told, fresh = RunningSoftware.objects.select_for_update().get_or_create(
        deployment=deployment, version=version, weights_sha256=weights_sha256, container_digest=container_digest,
        defaults={"agrees": not differences, "differences": differences, "door": door, "first_at": now, "last_at": now},
    )  # fmt: skip
    if not fresh:
        told.times, told.last_at, told.agrees, told.differences = told.times + 1, now, not differences, differences
        told.save(update_fields=("times", "last_at", "agrees", "differences"))
    else:
        record_event(
            action="deployment.software", subject=deployment, by=by,
            new={"version": version, "weights_sha256": weights_sha256, "container_digest": container_digest,
                 "agrees": told.agrees, "door": door},
        )  # fmt: skip
    if differences:
        _propose(deployment, told)
    return told


def _differences(registered: ModelVersion, version: str, weights: str, container: str) -> list[list[str]]:
    found = []
    if version and version not in (registered.version, str(registered)):
        found.append(["version", version, str(registered)])
    if weights and weights != registered.weights_sha256:
        found.append(["weights_sha256", weights, registered.weights_sha256])
    if container and registered.container_digest and container != registered.container_digest:
        found.append(["container_digest", container, registered.container_digest])
    return found


def _propose(deployment: Deployment, told: RunningSoftware) -> None:
    parts: list[Any] = told.differences
    said = "; ".join(f"{part.replace('_', ' ')} {mine[:24]} where {theirs[:24]} is registered"
                     for part, mine, theirs in parts)  # fmt: skip
    evidence = content_hash({"deployment": str(deployment.pk), "registered": deployment.version.weights_sha256,
                             "differences": parts})  # fmt: skip
    for submission in Submission.objects.filter(deployments=deployment, state="active"):
        propose_suspension(
            submission, trigger="other_model_hash", subject=deployment.slug, evidence_sha256=evidence, by=SYSTEM,
            reason=f"{deployment.name} reports {said}. What it computes from then on is evidence of another version.",
        )  # fmt: skip
