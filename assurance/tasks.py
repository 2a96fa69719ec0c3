from celery import shared_task

from assurance import jobs
from assurance.models import Job
from assurance.services import due_steps, version_requests


@shared_task(name="assurance.resend_lost_jobs")
def resend_lost_jobs() -> None:
    jobs.resend_lost_jobs()


@shared_task(name="assurance.take_due_steps")
def take_due_steps() -> None:
    due_steps.take_due_steps()


@jobs.job_task(version_requests.LOOK_AT_WEIGHTS)
def look_at_weights(job: Job, request_id: str) -> None:
    """Hash an uploaded weights file, refuse one that could run code, register the version."""
    version_requests.look_at_weights(request_id)
