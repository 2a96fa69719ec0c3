"""The queue's door of this app."""

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
