"""A dossier from stored cases to a bundle that verifies alone."""

import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from assurance.models import FindingRecord
from assurance.services.artefacts import read_artefact
from monitoring.services.windows import compute_due
from records.actor import SYSTEM
from reporting.dossier.contents import thaw
from reporting.models import Dossier
from reporting.services.build import run_build
from reporting.services.dossiers import build_dossier
from tests.integration.test_windows import watched  # noqa: F401 -- the same stored cases

pytestmark = pytest.mark.django_db
PERIOD = {"start": datetime(2026, 2, 1, tzinfo=UTC), "end": datetime(2026, 3, 1, tzinfo=UTC)}


@pytest.fixture
def instance(settings, tmp_path):
    settings.KEY_DIR = tmp_path / "keys"
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": str(tmp_path / "files")},
        },
    }


@pytest.fixture
def built(instance, watched):  # noqa: F811
    deployment, *_ = watched
    compute_due(deployment, today=date(2026, 4, 1))
    dossier = build_dossier(deployment=deployment, audience="regulator", by=SYSTEM, **PERIOD)
    return run_build(Dossier.objects.get(pk=dossier.pk))


def test_it_builds_and_holds(built, tmp_path):
    assert built.status == Dossier.Status.READY, built.verification
    contents = thaw(read_artefact(built.contents))
    records = FindingRecord.objects.filter(deployment=built.deployment, superseded_by=None, window_start__isnull=False)
    assert set(contents.evidence) == {record.evidence_id for record in records}
    Path("/tmp/dossier.pdf").write_bytes(read_artefact(built.pdf))
    Path("/tmp/dossier.zip").write_bytes(read_artefact(built.bundle))
    print(json.dumps(built.verification, indent=1))
