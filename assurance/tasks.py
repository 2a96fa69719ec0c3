from celery import shared_task

from assurance import jobs
from assurance.services import due_steps


@shared_task(name="assurance.resend_lost_jobs")
def resend_lost_jobs() -> None:
    jobs.resend_lost_jobs()


@shared_task(name="assurance.take_due_steps")
def take_due_steps() -> None:
    due_steps.take_due_steps()
