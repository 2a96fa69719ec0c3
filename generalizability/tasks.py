"""The queue's door: robustness runs the model, so it waits on ``inference``."""

from typing import Any

from assurance.jobs import job_task, report_progress, start_job
from assurance.models import Deployment, Job
from records.actor import Actor
from records.services import record_event

MEASURE = "generalizability.measure_robustness"


def start_robustness(deployment: Deployment, *, kinds: list[str], severities: list[int], cases: int, by: Actor) -> Job:
    """Queue one robustness measurement and record who asked for it."""
    job = start_job(
        MEASURE, queue="inference", title=f"Robustness of {deployment} under {', '.join(kinds)}",
        arguments={"deployment_id": str(deployment.pk), "kinds": kinds, "severities": severities, "cases": cases},
        organisation_id=deployment.organisation_id,
    )  # fmt: skip
    record_event(
        action="robustness.ask",
        subject=deployment,
        by=by,
        new={"kinds": kinds, "severities": severities, "cases": cases},
    )
    return job


@job_task(MEASURE)
def measure(job: Job, *, deployment_id: str, kinds: list[str], severities: list[int], cases: int) -> None:
    from assurance.adapters.catalogue import ADAPTERS
    from assurance.services.weights import weights_path
    from generalizability import services

    deployment = Deployment.objects.select_related("version__model", "organisation").get(pk=deployment_id)
    model: Any = ADAPTERS.load(deployment.version.adapter_key)(weights_path(deployment.version))

    def progress(done: int, of: int, step: str) -> None:
        report_progress(job, done=done, of=of, step=step)

    services.measure_robustness(
        deployment, model=model, kinds=kinds, severities=severities,
        cases=services.cases_with_truth(deployment, most=cases), progress=progress,
    )  # fmt: skip
