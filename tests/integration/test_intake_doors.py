"""Real predictions of one model at three sites, through every door: the day states are the same."""

import io
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "client" / "src"))

from vigil_client import Vigil

from accounts.models import Role
from accounts.tokens import issue_token
from assurance.models import Deployment
from monitoring.drift.state import state_from_bytes, to_bytes
from monitoring.management.commands.watch import Watcher
from monitoring.models import DayState
from monitoring.services.day_states import summarise_batch
from monitoring.services.dicom_door import accept_objects
from monitoring.services.fhir_door import accept_bundle
from monitoring.services.files import ingest_file
from monitoring.services.intake import accept_batch
from tests import dicom_objects as made
from tests.factories import DeploymentFactory, MembershipFactory, SiteFactory
from tests.integration.test_client import Network

pytestmark = pytest.mark.django_db
ROWS = 1167


@pytest.fixture(scope="module")
def log(shared_data):
    """The whole log; it has no dates, so rows are spread over two weeks in their order."""
    frame = pd.read_csv(shared_data / "predictions" / "cxr_multisite_pneumonia_predictions.csv")
    frame = frame.sample(ROWS, random_state=0).reset_index(drop=True)
    score = next(name for name in frame.columns if name.startswith(("prob", "score")))
    day = pd.Timestamp("2026-03-01T08:00:00Z") + pd.to_timedelta(np.arange(ROWS) * 17, unit="min")
    return pd.DataFrame({
        "case_id": [f"1.2.826.0.1.{at}" for at in range(ROWS)], "study_time": day.strftime("%Y-%m-%dT%H:%M:%S+00:00"),
        "score": frame[score].astype(float).round(4),
    })  # fmt: skip


@pytest.fixture
def start(settings, tmp_path):
    settings.STORAGES = settings.STORAGES | {
        "default": {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": str(tmp_path)}}
    }

    def make():
        found = DeploymentFactory()
        found.sites.add(SiteFactory(organisation=found.organisation, code="north"))
        return found

    return make


def by_bytes(kind):
    def send(deployment, log, tmp_path, client):
        if kind == "text/csv":
            content = log.to_csv(index=False).encode()
        elif kind == "application/x-parquet":
            buffer = io.BytesIO()
            pq.write_table(pa.Table.from_pandas(log), buffer)
            content = buffer.getvalue()
        elif kind == "application/json":
            content = log.to_json(orient="records").encode()
        else:
            content = log.to_json(orient="records", lines=True).encode()
        accept_batch(deployment, content=content, media_type=kind)

    return send


def by_file(deployment, log, tmp_path, client):
    path = tmp_path / "log.csv.zst"
    path.write_bytes(zstandard.compress(log.to_csv(index=False).encode()))
    ingest_file(deployment, path)


def by_folder(deployment, log, tmp_path, client):
    folder = tmp_path / "watched"
    folder.mkdir()
    log[:120].to_csv(folder / "a.csv", index=False)
    log[120:].to_parquet(folder / "b.parquet")
    (folder / "notes.txt").write_text("no predictions")
    told = []
    watcher = Watcher(deployment, folder, say=told.append)
    assert watcher.look() == 0  # it may still grow
    assert watcher.look() == 3, told
    assert sorted(path.name for path in (folder / "done").iterdir()) == ["a.csv", "b.parquet"]
    assert "no file that can be taken in" in (folder / "refused" / "notes.txt.txt").read_text()
    assert watcher.look() == 0


def by_client(deployment, log, tmp_path, client):
    lead = MembershipFactory(organisation=deployment.organisation, role=Role.HOSPITAL_QA).person
    secret = issue_token(organisation=deployment.organisation, person=lead, name="x", verbs=["send_predictions"])[1]
    network = Network(client)
    network.plan = ["away", "answer lost"]
    with Vigil("http://testserver", deployment=str(deployment.pk), token=secret, spool=tmp_path / "spool",
               transport=network, sleep=lambda seconds: None) as vigil:  # fmt: skip
        for start in range(0, ROWS, 50):
            vigil.log_predictions(log[start : start + 50])


def by_fhir(deployment, log, tmp_path, client):
    entries = []
    for row in log.to_dict(orient="records"):
        study = {"resourceType": "ImagingStudy", "id": row["case_id"], "started": row["study_time"],
                 "identifier": [{"value": row["case_id"]}]}  # fmt: skip
        result = {
            "resourceType": "Observation", "status": "final", "device": {"reference": "Device/1"},
            "code": {"coding": [{"display": "Pneumonia probability"}]},
            "valueQuantity": {"value": row["score"], "code": "1"},
            "derivedFrom": [{"reference": f"ImagingStudy/{row['case_id']}"}],
        }  # fmt: skip
        entries += [{"resource": study}, {"resource": result}]
    accept_bundle(deployment, content=json.dumps({"resourceType": "Bundle", "entry": entries}).encode())


def by_dicom(deployment, log, tmp_path, client):
    files = []
    for row in log.to_dict(orient="records"):
        moment = pd.Timestamp(row["study_time"])
        report = made.loose_report(study=row["case_id"], StudyDate=f"{moment:%Y%m%d}", StudyTime=f"{moment:%H%M%S}",
                                   TimezoneOffsetFromUTC="+0000")  # fmt: skip
        report.ContentSequence[0].MeasuredValueSequence[0].NumericValue = str(row["score"])
        files.append(made.as_file(report))
    outcome = accept_objects(deployment, files)
    assert outcome.failed == []


DOORS = {
    "csv": by_bytes("text/csv"), "json": by_bytes("application/json"), "ndjson": by_bytes("application/x-ndjson"),
    "parquet": by_bytes("application/x-parquet"), "file": by_file, "folder": by_folder, "client": by_client,
    "fhir": by_fhir, "dicom": by_dicom,
}  # fmt: skip


def day_states(deployment):
    for batch in deployment.batches.order_by("received_at"):
        summarise_batch(batch.pk)
    rows = DayState.objects.filter(deployment=deployment, signal="score", current=True).order_by("day")
    return [(row.day, to_bytes(state_from_bytes(bytes(row.content)))) for row in rows]


@pytest.fixture
def expected(start, log, tmp_path, client):
    deployment = start()
    DOORS["csv"](deployment, log, tmp_path, client)
    states = day_states(deployment)
    assert len(states) == 15
    assert sum(state_from_bytes(content).n for _, content in states) == ROWS
    return states


@pytest.mark.parametrize("door", [door for door in DOORS if door != "csv"])
def test_every_door_leads_to_the_same_day_states(door, expected, start, log, tmp_path, client):
    deployment: Deployment = start()
    DOORS[door](deployment, log, tmp_path, client)
    assert day_states(deployment) == expected
