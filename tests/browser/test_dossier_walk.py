"""A dossier in the browser: its build seen live, two versions side by side, and files dropped on the verify page."""

import re
from datetime import UTC, datetime

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.models import Role
from assurance import jobs
from assurance.models import Job
from assurance.services.artefacts import read_artefact
from records.actor import SYSTEM
from records.models import AuditEvent
from reporting.models import Dossier
from reporting.services.build import run_build
from reporting.services.dossiers import build_dossier
from tests.factories import DeploymentFactory, MembershipFactory

START, END, LATER = (datetime(2026, month, 1, tzinfo=UTC) for month in (2, 3, 4))


@pytest.fixture
def place(transactional_db, tmp_path, settings, monkeypatch):
    """A deployment and its QA lead; jobs wait, so that the test is the worker."""
    settings.KEY_DIR = tmp_path / "keys"
    files = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": str(tmp_path / "files")}}
    settings.STORAGES = {**settings.STORAGES, "default": files}
    monkeypatch.setattr(jobs, "send", lambda job: None)
    deployment = DeploymentFactory()
    lead = MembershipFactory(organisation=deployment.organisation, role=Role.HOSPITAL_QA).person
    return deployment, lead


def ordered(deployment, end):
    made = build_dossier(deployment=deployment, audience="regulator", by=SYSTEM, start=START, end=end)
    Job.objects.filter(pk=made.job_id).update(status=Job.Status.RUNNING, started_at=timezone.now())
    return Dossier.objects.get(pk=made.pk), Job.objects.get(pk=made.job_id)


def finish(dossier, job):
    ready = run_build(dossier, job=job)
    Job.objects.filter(pk=job.pk).update(status=Job.Status.DONE, finished_at=timezone.now())
    return ready


def test_a_build_is_seen_live_and_its_files_are_checked_in_the_browser(walker, place, tmp_path):
    deployment, lead = place
    first, job = ordered(deployment, END)
    walker.enter(lead)
    walker.open(reverse("reporting:dossier", args=[first.pk])).see("Being built")
    shown = []
    for percent, step in ((15, "Gathering findings and records"), (57, "Setting page 60")):
        jobs.report_progress(job, done=percent, of=100, step=step)
        walker.wait(lambda step=step: step in walker.text, f"the page never showed {step!r}")
        shown.append(walker.find("progress").get_attribute("value"))
    assert shown == ["15", "57"], "the bar moved without a reload"
    walker.shot("dossier_being_built")
    ready = finish(first, job)
    walker.wait(lambda: "Every check of the finished bundle holds" in walker.text, "the page never turned ready", 20)
    walker.check_page().shot("dossier_ready")

    second, job = ordered(deployment, LATER)
    second = finish(second, job)
    walker.open(f"{reverse('reporting:compare')}?before={ready.number}&after={second.number}")
    walker.see("Compare two dossiers", ready.number, second.number, "changed").check_page().shot("dossier_compared")

    bundle, pdf = read_artefact(ready.bundle), read_artefact(ready.pdf)
    at = bundle.index(b"%PDF-") + 4000
    files = {
        "good.zip": bundle,
        "flipped.zip": bundle[:at] + bytes([bundle[at] ^ 1]) + bundle[at + 1 :],
        "signed.pdf": pdf,
        "flipped.pdf": re.sub(rb"Vigil instance", b"Vigil instancf", pdf, count=1)
        if b"Vigil instance" in pdf
        else pdf[:4000] + bytes([pdf[4000] ^ 1]) + pdf[4001:],
        "letter.zip": b"Dear authority",
    }
    expected = {
        "good.zip": ("Every check that could be made holds", "signed checkpoints", "the trusted one"),
        "flipped.zip": ("This file does not hold", "dossier.pdf"),
        "signed.pdf": ("Every check that could be made holds", "Vigil instance seal", "by a trusted certificate"),
        "flipped.pdf": ("This file does not hold", "changed"),
        "letter.zip": ("is not a readable zip",),
    }
    for name, content in files.items():
        path = tmp_path / name
        path.write_bytes(content)
        walker.open(reverse("reporting:verify"))
        walker.find("#file").send_keys(str(path))
        walker.press("Check")
        walker.see(*expected[name]).check_page().shot(f"dossier_verify_{name.replace('.', '_')}")
    assert not AuditEvent.objects.filter(action="dossier.download").exists(), "checking is no download"
