from celery import shared_task

from assurance import jobs


@shared_task(name="assurance.resend_lost_jobs")
def resend_lost_jobs() -> None:
    jobs.resend_lost_jobs()
