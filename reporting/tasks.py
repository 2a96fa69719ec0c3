"""The queue's door of this app."""

from datetime import UTC, datetime

from celery import shared_task

from assurance.jobs import job_task
from assurance.models import Job
from reporting.models import Dossier
from reporting.services.build import run_build


@job_task("reporting.build_dossier")
def build_dossier(job: Job, *, dossier_id: str) -> None:
    dossier = Dossier.objects.select_related(
        "version__model__organisation",
        "submission__organisation",
        "submission__regulator",
        "deployment__organisation",
        "contents",
        "unsigned_pdf",
        "pdf",
        "bundle",
        "supersedes__contents",
    ).get(pk=dossier_id)
    run_build(dossier, job=job)


@shared_task(name="reporting.send_weekly_summaries")
def send_weekly_summaries() -> None:
    """The hour's tick: the week's mail to those who asked and have not had it."""
    from reporting.services.weekly import send_due_summaries

    send_due_summaries(today=datetime.now(UTC).date())
