"""Predictions come in by CSV, JSON, NDJSON and Parquet; good rows go in once, bad ones are refused one by one."""

import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from django.db import connection

from assurance.evidence.errors import InvalidInput
from assurance.models import Job
from assurance.services.pseudonyms import pseudonym
from monitoring.models import DayState, Label, PredictionBatch
from monitoring.services.day_states import summarise_batch
from monitoring.services.intake import accept_batch
from monitoring.services.labels import accept_labels
from tests.factories import DeploymentFactory, SiteFactory

HEADER = "case_id,patient_id,study_time,site,score,label,meta_sex,q_snr\n"
GOOD = (
    "c1,p1,2026-03-01T08:00:00Z,north,0.9,1,F,31.5\n"
    "c2,p2,2026-03-01T09:00:00+01:00,north,0.2,0,M,29\n"
    "c3,p3,2026-04-02T09:00:00Z,south,0.4,,M,\n"
)
pytestmark = pytest.mark.django_db


@pytest.fixture
def deployment():
    found = DeploymentFactory()
    for code in ("north", "south"):
        found.sites.add(SiteFactory(organisation=found.organisation, code=code))
    return found


def send(deployment, text, media_type="text/csv", **options):
    content = text if isinstance(text, bytes) else text.encode()
    return accept_batch(deployment, content=content, media_type=media_type, **options)


def stored(deployment):
    with connection.cursor() as cursor:
        cursor.execute(
            'SELECT "case", site, score, numbers, levels FROM monitoring_prediction WHERE deployment_id = %s '
            "ORDER BY study_time",
            [deployment.pk],
        )
        return cursor.fetchall()


def test_rows_of_a_csv_file_are_stored_under_pseudonyms(deployment):
    batch = send(deployment, HEADER + GOOD)
    assert (batch.rows, batch.accepted, batch.rejected, batch.duplicates) == (3, 3, 0, 0)
    case = pseudonym(deployment.organisation_id, "c2")
    assert stored(deployment)[0][0] in (case, pseudonym(deployment.organisation_id, "c1"))
    assert {row[0] for row in stored(deployment)} == {
        pseudonym(deployment.organisation_id, name) for name in ("c1", "c2", "c3")
    }
    assert stored(deployment)[-1][1:] == ("south", 0.4, [None], ["M"])
    assert sorted(Label.objects.values_list("value", flat=True)) == [0, 1]


@pytest.mark.parametrize("kind", ["json", "ndjson", "parquet"])
def test_the_same_rows_come_in_by_every_format(deployment, kind):
    rows = [
        {"case_id": "c1", "study_time": "2026-03-01T08:00:00Z", "site": "north", "score": 0.9, "q_snr": 31.5},
        {"case_id": "c2", "study_time": "2026-03-02T08:00:00Z", "site": "south", "score": 0.1, "q_snr": None},
    ]
    if kind == "parquet":
        buffer = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(rows), buffer)
        content, media_type = buffer.getvalue(), "application/vnd.apache.parquet"
    elif kind == "json":
        content, media_type = json.dumps(rows).encode(), "application/json"
    else:
        content, media_type = "\n".join(json.dumps(row) for row in rows).encode(), "application/x-ndjson"
    assert send(deployment, content, media_type).accepted == 2
    assert [row[2] for row in stored(deployment)] == [0.9, 0.1]
    assert [row[3] for row in stored(deployment)] == [[31.5], [None]]


BAD_ROWS = {
    ",p,2026-03-01T08:00:00Z,north,0.5,,F,1\n": ("case_id", "missing"),
    "x,p,,north,0.5,,F,1\n": ("study_time", "missing"),
    "x,p,yesterday,north,0.5,,F,1\n": ("study_time", "not_a_time"),
    "x,p,2199-03-01T08:00:00Z,north,0.5,,F,1\n": ("study_time", "in_the_future"),
    "x,p,1066-03-01T08:00:00Z,north,0.5,,F,1\n": ("study_time", "too_old"),
    "x,p,1970-03-01T08:00:00Z,north,0.5,,F,1\n": ("study_time", "too_old"),
    "x,p,2026-03-01T08:00:00Z,west,0.5,,F,1\n": ("site", "unknown_site"),
    "x,p,2026-03-01T08:00:00Z,north,1.5,,F,1\n": ("score", "out_of_range"),
    "x,p,2026-03-01T08:00:00Z,north,high,,F,1\n": ("score", "not_numeric"),
    "x,p,2026-03-01T08:00:00Z,north,inf,,F,1\n": ("score", "not_finite"),
    "x,p,2026-03-01T08:00:00Z,north,NaN,,F,1\n": ("score", "not_finite"),
    "x,p,2026-03-01T08:00:00Z,north,0.5,2,F,1\n": ("label", "not_binary"),
    "c1,p,2026-03-01T08:00:00Z,north,0.5,,F,1\n": ("case_id", "twice"),
    "x,p,2026-03-01T08:00:00Z\n": ("", "ragged_row"),
}


@pytest.mark.parametrize("line", BAD_ROWS)
def test_a_bad_row_is_refused_with_its_number_and_harms_no_other(deployment, line):
    batch = send(deployment, HEADER + GOOD + line)
    assert (batch.accepted, batch.rejected) == (3, 1)
    reject = batch.rejects.get()
    assert (reject.row, reject.column, reject.code) == (4, *BAD_ROWS[line])
    assert reject.reason


def test_a_known_numeric_column_refuses_words_later(deployment):
    send(deployment, HEADER + GOOD)
    batch = send(deployment, HEADER + "c9,p,2026-03-05T08:00:00Z,north,0.5,,F,loud\n")
    assert batch.rejects.get().reason == "q_snr 'loud' is not a number"


def test_a_column_that_comes_later_takes_a_new_place(deployment):
    send(deployment, HEADER + GOOD)
    batch = send(deployment, "case_id,study_time,site,q_blur,q_snr\nc9,2026-05-05T08:00:00Z,north,7,3\n")
    assert batch.new_columns == ["q_blur"]
    assert stored(deployment)[-1][3] == [3, 7]


WHOLE = {
    "unknown_format": (b"x", "image/png"),
    "unreadable": (b"\xff\xfe\x00 not parquet", "application/x-parquet"),
    "no_rows": (b"case_id,study_time,site\n", "text/csv"),
    "missing_column": (b"case,site\n1,north\n", "text/csv"),
    "duplicate_column": (b"case_id,case_id\n1,2\n", "text/csv"),
}


@pytest.mark.parametrize("code", WHOLE)
def test_a_delivery_that_cannot_be_read_is_refused_whole(deployment, code):
    content, media_type = WHOLE[code]
    with pytest.raises(InvalidInput) as refusal:
        send(deployment, content, media_type)
    assert refusal.value.code == code
    assert not PredictionBatch.objects.exists()


def test_the_same_key_answers_as_before_and_other_content_is_refused(deployment):
    first = send(deployment, HEADER + GOOD, idempotency_key="monday")
    again = send(deployment, HEADER + GOOD, idempotency_key="monday")
    assert again.pk == first.pk
    with pytest.raises(InvalidInput, match="came before with other content"):
        send(deployment, HEADER + "c9,p,2026-03-05T08:00:00Z,north,0.5,,F,1\n", idempotency_key="monday")
    assert len(stored(deployment)) == 3


def test_a_row_sent_again_in_another_delivery_is_counted_and_not_doubled(deployment):
    send(deployment, HEADER + GOOD)
    batch = send(deployment, HEADER + GOOD + "c4,p,2026-03-05T08:00:00Z,north,0.5,,F,1\n")
    assert (batch.accepted, batch.duplicates) == (1, 3)
    assert len(stored(deployment)) == 4


def test_a_time_without_zone_is_read_in_the_zone_of_its_site():
    deployment = DeploymentFactory()
    deployment.sites.add(SiteFactory(organisation=deployment.organisation, code="tokyo", time_zone="Asia/Tokyo"))
    send(deployment, "case_id,study_time\nc1,2026-03-01 08:00:00\n")
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_char(study_time AT TIME ZONE 'UTC', 'DD HH24:MI') FROM monitoring_prediction")
        assert cursor.fetchone()[0] == "28 23:00"


def test_day_states_are_written_once_and_count_missing_values(deployment):
    batch = send(deployment, HEADER + GOOD)
    assert Job.objects.filter(task="monitoring.summarise_batch").count() == 1
    summarise_batch(batch.pk)
    before = list(DayState.objects.values_list("site", "day", "signal", "n", "missing"))
    assert summarise_batch(batch.pk) == 0
    assert list(DayState.objects.values_list("site", "day", "signal", "n", "missing")) == before
    score = DayState.objects.get(site="north", signal="score")
    assert (score.n, score.missing) == (2, 0)
    snr = DayState.objects.get(site="south", signal="q_snr")
    assert (snr.n, snr.missing) == (0, 1)


def test_late_rows_make_a_new_revision_only_of_days_that_a_window_has_read(deployment):
    from django.utils import timezone

    summarise_batch(send(deployment, HEADER + GOOD).pk)
    DayState.objects.filter(site="north").update(used_at=timezone.now())
    late = send(
        deployment,
        HEADER + "c8,p,2026-03-01T20:00:00Z,north,0.5,,F,1\nc9,p,2026-04-02T20:00:00Z,south,0.5,,F,1\n",
    )
    summarise_batch(late.pk)
    north = DayState.objects.filter(site="north", signal="score").order_by("revision")
    assert [(row.n, row.revision, row.current) for row in north] == [(2, 1, False), (3, 2, True)]
    south = DayState.objects.get(site="south", signal="score")
    assert (south.n, south.revision) == (2, 1)


def test_labels_that_come_later_replace_and_bad_ones_are_refused(deployment):
    send(deployment, HEADER + GOOD)
    outcome = accept_labels(
        deployment, content=b"case_id,label,dice\nc1,0,\nc3,1,0.8\nc2,7,\n,1,\n", media_type="text/csv"
    )
    assert (outcome["accepted"], outcome["rejected"]) == (2, 2)
    values = dict(Label.objects.filter(quantity="label").values_list("case", "value"))
    assert values[pseudonym(deployment.organisation_id, "c1")] == 0
    assert Label.objects.get(quantity="dice").value == 0.8
