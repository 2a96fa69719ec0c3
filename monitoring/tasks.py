"""The queue's door: keys in, services called, nothing else."""

from datetime import UTC, date, datetime
from uuid import UUID

from celery import shared_task
from django.db import transaction

from assurance.jobs import Cancelled, job_task, report_progress, start_job
from assurance.models import Deployment, Job
from monitoring.models import PredictionBatch
from monitoring.services import day_states, dicom_door, embeddings, images, receiving, window_reports, windows
from monitoring.services.plans import plan_of
from monitoring.services.references import reference_of

WINDOWS = "monitoring.compute_windows"


@job_task("monitoring.work_through_batch")
def work_through_batch(job: Job, *, batch_id: str) -> None:
    try:
        receiving.work_through(
            UUID(batch_id),
            progress=lambda done, of, step: report_progress(job, done=done >> 10, of=of >> 10, step=step),
        )
    except Cancelled:
        receiving.give_up(UUID(batch_id), "a person stopped it")
        raise


@job_task("monitoring.measure_images")
def measure_images(job: Job, *, batch_id: str) -> None:
    dicom_door.measure_images(UUID(batch_id))


@job_task("monitoring.measure_case_image")
def measure_case_image(job: Job, *, case_file_id: int) -> None:
    images.measure_case_image(case_file_id)


@job_task("monitoring.embed_images")
def embed_images(job: Job, *, case_file_ids: list[int]) -> None:
    embeddings.embed_images(case_file_ids)


@job_task("monitoring.summarise_batch")
def summarise_batch(job: Job, *, batch_id: str) -> None:
    day_states.summarise_batch(UUID(batch_id))
    batch = PredictionBatch.objects.select_related("deployment").get(pk=batch_id)
    start_windows(batch.deployment)


@job_task(WINDOWS)
def compute_windows(job: Job, *, deployment_id: str) -> None:
    deployment = Deployment.objects.select_related("version__model", "organisation").get(pk=deployment_id)
    windows.compute_due(
        deployment, today=datetime.now(UTC).date(),
        progress=lambda done, of, step: report_progress(job, done=done, of=of, step=step),
    )  # fmt: skip


@job_task(window_reports.MAKE)
def make_window_report(job: Job, *, deployment_id: str, start: str, end: str) -> None:
    deployment = Deployment.objects.select_related("version__model", "organisation").get(pk=deployment_id)
    window_reports.make_window_report(
        deployment, start=date.fromisoformat(start), end=date.fromisoformat(end),
        progress=lambda done, of, step: report_progress(job, done=done, of=of, step=step),
    )  # fmt: skip


def start_windows(deployment: Deployment) -> Job | None:
    """Queue the deployment's due windows, unless a job for them waits already or there is nothing to judge by."""
    if plan_of(deployment) is None or reference_of(deployment) is None:
        return None
    with transaction.atomic():
        Deployment.objects.select_for_update(of=("self",)).get(pk=deployment.pk)
        waiting = Job.objects.filter(
            task=WINDOWS, status=Job.Status.QUEUED, arguments__deployment_id=str(deployment.pk)
        ).exists()
        if waiting:
            return None
        return start_job(
            WINDOWS, queue="statistics", title=f"Windows of {deployment}",
            arguments={"deployment_id": str(deployment.pk)}, organisation_id=deployment.organisation_id,
        )  # fmt: skip


@shared_task(name="monitoring.start_due_work")
def start_due_work() -> None:
    """The minute's tick: deployments with a window that is complete and not computed as its inputs now are."""
    from accounts.row_security import EVERYTHING, seeing

    today = datetime.now(UTC).date()
    with seeing(EVERYTHING):
        receiving.resume_waiting()
        for deployment in Deployment.objects.filter(status=Deployment.Status.RUNNING).select_related("version__model"):
            plan, reference = plan_of(deployment), reference_of(deployment)
            if plan and reference and windows.due_spans(deployment, plan, reference, today=today):
                start_windows(deployment)
