"""Explanations of cases: asked for once, computed outside any transaction, every outcome stored with its reason."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from assurance.evidence.errors import InvalidInput, NotComputable, Refusal, Unavailable
from assurance.jobs import start_job
from assurance.models import CaseFile, Deployment, Job
from assurance.services.artefacts import read_artefact, store_artefact
from explainability.attribution.catalogue import EXPLAINERS, checked_parameters
from explainability.models import Explanation
from records.actor import Actor
from records.canonical import content_hash
from records.services import record_event

EFFORTS = ("brief", "quick", "full")
EXPLAIN_ONE = "explainability.explain_one"


@transaction.atomic
def ask_explanation(
    deployment: Deployment, *, case: str, method: str, parameters: dict[str, Any] | None = None, origin: str = "",
    by: Actor, start: bool = True,
) -> Explanation:  # fmt: skip
    """The explanation of ``case`` by ``method`` for the running version: a new row, or the one that is there.

    Its job is started unless ``start`` is False or one is at work on it.

    ``parameters`` are the method's own, ``target``, ``seed`` and ``effort`` (brief, quick or full report card). A
    refused one is queued again, since its cause may be mended by now.

    Raises
    ------
    InvalidInput
        ``unknown_key``, ``other_task``, ``unknown_parameter``, ``bad_parameter``, ``no_image``.
    """
    entry = EXPLAINERS[method]
    task = deployment.version.model.task
    if task not in entry.facts["tasks"]:
        allowed = ", ".join(key for key, other in EXPLAINERS.items() if task in other.facts["tasks"])
        raise InvalidInput("other_task", f"{method} is not made for {task}: choose one of {allowed}")
    chosen = dict(parameters or {})
    effort = chosen.pop("effort", "quick")
    if effort not in EFFORTS:
        raise InvalidInput("bad_parameter", f"effort is {effort!r}: choose {', '.join(EFFORTS)}")
    chosen = {**checked_parameters(method, chosen), "effort": effort}
    if not CaseFile.objects.filter(deployment=deployment, case=case, role=CaseFile.Role.IMAGE).exists():
        raise InvalidInput("no_image", f"case {case[:40]!r} has no image in {deployment.slug}: send its image first")
    found, made = Explanation.objects.get_or_create(
        deployment=deployment, version=deployment.version, case=case, method=method,
        parameters_sha256=content_hash(chosen),
        defaults={"organisation_id": deployment.organisation_id, "parameters": chosen, "origin": origin[:120]},
    )  # fmt: skip
    if made or found.status == Explanation.Status.FAILED:
        if not made:
            found.status, found.reason, found.code, found.finished_at = Explanation.Status.QUEUED, "", "", None
            found.save(update_fields=("status", "reason", "code", "finished_at"))
        record_event(
            action="explanation.ask", subject=found, by=by,
            new={"case": case, "method": method, "parameters": chosen, "origin": origin},
        )  # fmt: skip
    if start and found.status == Explanation.Status.QUEUED and not _at_work(found):
        found.job = start_job(
            EXPLAIN_ONE, queue="inference", title=f"Map: {found}", arguments={"explanation_id": str(found.pk)},
            organisation_id=found.organisation_id,
        )  # fmt: skip
        found.save(update_fields=("job",))
    return found


def _at_work(explanation: Explanation) -> bool:
    return explanation.job is not None and explanation.job.status in (Job.Status.QUEUED, Job.Status.RUNNING)


def compute_explanation(
    explanation: Explanation, *, models: Any = None, job: Job | None = None,
    progress: Callable[[str], None] = lambda step: None,
) -> Explanation:  # fmt: skip
    """Make, grade and store the map; what is refused is stored with its reason. A settled row is left as it is.

    Raises
    ------
    Unavailable
        Weights, a file or a package are away: the row goes back to the queue and the job is tried again.
    """
    claimed = _claim(explanation, job)
    if claimed is None:
        return Explanation.objects.get(pk=explanation.pk)
    try:
        outcome = _computed(claimed, models, progress)
    except Unavailable:
        _release(claimed)
        raise
    except (InvalidInput, NotComputable) as refusal:
        return _settle(claimed, {"status": Explanation.Status.FAILED, "reason": refusal.message, "code": refusal.code})
    except MemoryError:
        reason = f"{claimed.method} ran out of memory on this image: crop it, or choose a method with fewer steps"
        return _settle(claimed, {"status": Explanation.Status.FAILED, "reason": reason, "code": "out_of_memory"})
    except Refusal:
        _release(claimed)  # cancelled by a person: nothing is settled, so that it can be asked for again
        raise
    return _settle(claimed, {"status": Explanation.Status.DONE, "reason": "", "code": "", **outcome})


@transaction.atomic
def _claim(explanation: Explanation, job: Job | None) -> Explanation | None:
    """The row as running, or None when it is settled or another live job holds it."""
    lost = timezone.now() - timedelta(seconds=settings.CELERY_TASK_TIME_LIMIT)
    free = Q(status=Explanation.Status.QUEUED) | Q(status=Explanation.Status.RUNNING, claimed_at__lt=lost)
    if job is not None:
        free |= Q(status=Explanation.Status.RUNNING, job=job)  # this job's own earlier attempt, cut off
    row = Explanation.objects.select_for_update().filter(free, pk=explanation.pk).first()
    if row is None:
        return None
    row.status, row.job, row.claimed_at = Explanation.Status.RUNNING, job, timezone.now()
    row.save(update_fields=("status", "job", "claimed_at"))
    return row


def _release(explanation: Explanation) -> None:
    running = Explanation.objects.filter(pk=explanation.pk, status=Explanation.Status.RUNNING)
    running.update(status=Explanation.Status.QUEUED, claimed_at=None)


@transaction.atomic
def _settle(explanation: Explanation, values: dict[str, Any]) -> Explanation:
    for name, value in values.items():
        setattr(explanation, name, value)
    explanation.finished_at = timezone.now()
    explanation.save()
    record_event(
        action="explanation.settle", subject=explanation, by=_instance(explanation), reason=explanation.reason,
        new={"status": explanation.status, "map": explanation.map_file.sha256 if explanation.map_file else ""},
    )  # fmt: skip
    return explanation


def _instance(explanation: Explanation) -> Actor:
    return Actor(person_id=None, organisation_id=explanation.organisation_id, role="system")


def _computed(explanation: Explanation, models: Any, progress: Callable[[str], None]) -> dict[str, Any]:
    # torch is needed from here on only: doors that ask for a map must not load it.
    from explainability.case_images import read_case_image
    from explainability.services.case_inputs import fixed_of, prompt_for, references_for, truth_of, with_spacing
    from explainability.services.kept_parts import kept_parts
    from explainability.services.loaded_models import LoadedModels
    from explainability.services.map_files import MEDIA_TYPE, pack_map
    from explainability.services.mapping import facts_of, graded_map
    from explainability.services.other_versions import other_map

    files = {file.role: file for file in _files(explanation)}
    if CaseFile.Role.IMAGE not in files:
        raise InvalidInput("no_image", "the case has no image any more")
    image_file = files[CaseFile.Role.IMAGE]
    content = read_artefact(image_file.artefact)
    image = with_spacing(read_case_image(content), image_file.facts)
    model = (models or LoadedModels()).of(explanation.version)
    parameters = dict(explanation.parameters)
    effort = parameters.pop("effort", "quick")
    other, other_name = other_map(explanation)
    with kept_parts(explanation) as kept:
        made = graded_map(
            model, image, method=explanation.method, parameters=parameters, prompt=prompt_for(image_file, image),
            truth=truth_of(files.get(CaseFile.Role.TRUTH), image), effort=effort, other=other, other_name=other_name,
            fixed=fixed_of(image_file), references=references_for(explanation), kept=kept, progress=progress,
        )  # fmt: skip
    facts = facts_of(made, model=model, image_sha256=image_file.artefact.sha256, spacing_mm=image.spacing_mm)
    packed = pack_map(made.attribution, mask=made.mask, facts=facts, around=made.around.arrays())
    name = f"{explanation.method} of {explanation.case[:12]}"
    where: dict[str, Any] = {"organisation_id": explanation.organisation_id}
    return {
        "map_file": store_artefact(packed, media_type=MEDIA_TYPE, description=f"Map: {name}", **where),
        "overlay": store_artefact(made.overlay, media_type="image/png", description=f"Overlay: {name}", **where),
        "facts": facts,
        "report_card": [item.placed(model_version=str(explanation.version)).as_dict() for item in made.report_card],
        "statements": [fact.as_dict() for fact in made.statements],
    }


def _files(explanation: Explanation) -> list[CaseFile]:
    rows = CaseFile.objects.filter(deployment=explanation.deployment, case=explanation.case)
    return list(rows.select_related("artefact"))
