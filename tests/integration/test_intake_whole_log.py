"""The whole real log of 22,433 predictions by the fast doors, checked day by day against pandas."""

import gzip
import io
import json

import numpy as np
import pandas as pd
import pytest
import zstandard
from django.core.management import call_command

from accounts.models import Role
from accounts.tokens import issue_token
from monitoring.drift.state import state_from_bytes, to_bytes
from monitoring.models import DayState, Label, PredictionBatch
from monitoring.services.day_states import summarise_batch
from monitoring.services.receiving import work_through
from tests.factories import DeploymentFactory, MembershipFactory, SiteFactory

pytestmark = pytest.mark.django_db
N_ROWS, N_DAYS = 22_433, 60


@pytest.fixture(scope="module")
def log(shared_data):
    """The log has no dates, so its rows are spread over sixty days in their order."""
    raw = pd.read_csv(shared_data / "predictions" / "nih_cxr14_densenet121_predictions.csv.gz")
    assert len(raw) == N_ROWS
    day = pd.Timestamp("2026-01-01T00:00:00Z") + pd.to_timedelta(
        np.arange(N_ROWS) * N_DAYS * 86_400 // N_ROWS, unit="s"
    )
    return pd.DataFrame({
        "case_id": raw["image_index"], "patient_id": raw["patient_id"].astype(str),
        "study_time": day.strftime("%Y-%m-%dT%H:%M:%S+00:00"), "score": raw["prob_Pneumonia"],
        "label": raw["label_Pneumonia"], "prob_effusion": raw["prob_Effusion"], "prob_hernia": raw["prob_Hernia"],
        "meta_sex": raw["sex"], "meta_view": raw["view"], "meta_age": raw["age"].astype(float),
        "follow_up": raw["follow_up"].astype(float), "meta_pixel_spacing": raw["pixel_spacing_mm"],
    })  # fmt: skip


def parquet(log):
    buffer = io.BytesIO()
    log.to_parquet(buffer)
    return buffer.getvalue()


HTTP = {
    "csv": ("text/csv", "", lambda log: log.to_csv(index=False).encode()),
    "csv.gz": ("text/csv", "gzip", lambda log: gzip.compress(log.to_csv(index=False).encode(), 1)),
    "json": ("application/json", "", lambda log: json.dumps(log.to_dict("records")).encode()),
    "ndjson.zst": (
        "application/x-ndjson", "zstd",
        lambda log: zstandard.compress("\n".join(map(json.dumps, log.to_dict("records"))).encode()),
    ),
    "parquet": ("application/vnd.apache.parquet", "", parquet),
}  # fmt: skip


@pytest.mark.parametrize("door", [*HTTP, "command"])
def test_the_whole_log_has_the_day_states_that_pandas_counts(door, log, client, settings, tmp_path, capsys):
    settings.STORAGES = settings.STORAGES | {
        "default": {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": str(tmp_path)}}
    }
    deployment = DeploymentFactory()
    deployment.sites.add(SiteFactory(organisation=deployment.organisation, code="north"))
    if door == "command":
        (tmp_path / "log.parquet").write_bytes(parquet(log))
        call_command("ingest", deployment.slug, str(tmp_path / "log.parquet"), "--json")
        batch = PredictionBatch.objects.get(pk=json.loads(capsys.readouterr().out)["files"][0]["batch"])
    else:
        media_type, encoding, made = HTTP[door]
        lead = MembershipFactory(organisation=deployment.organisation, role=Role.HOSPITAL_QA).person
        secret = issue_token(organisation=deployment.organisation, person=lead, name="x", verbs=["send_predictions"])[1]
        head = {"Authorization": f"Bearer {secret}", **({"Content-Encoding": encoding} if encoding else {})}
        answer = client.post(
            f"/api/v1/deployments/{deployment.pk}/predictions", made(log), content_type=media_type, headers=head
        )
        assert answer.status_code == 202, answer.content
        batch = work_through(answer.json()["id"])
    assert (batch.status, batch.accepted, batch.rejected) == ("done", N_ROWS, 0)
    summarise_batch(batch.pk)
    assert Label.objects.filter(deployment=deployment, value=1).count() == log["label"].sum()
    found = {}
    for row in DayState.objects.filter(deployment=deployment, current=True):
        found.setdefault(row.signal, {})[row.day] = state_from_bytes(bytes(row.content))
    by_day = log.groupby(pd.to_datetime(log["study_time"]).dt.date)
    for name in ("meta_age", "follow_up", "prob_effusion", "prob_hernia", "meta_pixel_spacing"):
        for day, values in by_day[name]:
            assert found[name][day].masses()[0].tolist() == sorted(values), (name, day)  # a day is small: all are kept
    for name in ("meta_sex", "meta_view"):
        for day, values in by_day[name]:
            assert found[name][day].counts == values.value_counts().to_dict()
    for day, values in by_day["score"]:
        state = found["score"][day]
        assert state.n == len(values) and state.missing == 0
        middle = np.average(state.masses()[0], weights=state.masses()[1])
        assert middle == pytest.approx(values.mean(), abs=0.0005)  # half a bin
        bins = np.minimum((values.to_numpy() * 1000).astype(int), 999)
        assert state.counts.tolist() == np.bincount(bins, minlength=1000).tolist()
    assert len(to_bytes(found["score"][min(found["score"])])) < 4_000
    assert {len(days) for days in found.values()} == {N_DAYS}
