"""Deliveries: kept safe and worked through, packed, cut, repeated, corrected; what a page and a file say of them."""

import gzip
import io
import json
from datetime import date, timedelta

import pytest
import zstandard
from django.db import connection
from django.utils import timezone

from accounts.models import Role
from accounts.tokens import issue_token
from assurance.evidence.errors import InvalidInput, Unavailable
from assurance.models import Job
from monitoring.intake import readers
from monitoring.models import ControlReading, DayState, Label, PastLabel, PredictionBatch, SchemaEvent
from monitoring.services import intake, receiving, spool
from monitoring.services.day_states import states_of, summarise_batch
from monitoring.services.intake import accept_batch
from monitoring.services.labels import accept_labels
from monitoring.services.receiving import receive_batch, work_through
from monitoring.windows.markers import markers_of
from tests.factories import DeploymentFactory, MembershipFactory, OrganisationFactory, SiteFactory

pytestmark = pytest.mark.django_db
HEADER = "case_id,study_time,score,meta_view,q_snr\n"


def lines(first, last, *, day=1, score=0.5):
    return "".join(f"c{at},2026-03-{day:02d}T08:00:00Z,{score},PA,{at}\n" for at in range(first, last))


@pytest.fixture
def deployment():
    found = DeploymentFactory()
    found.sites.add(SiteFactory(organisation=found.organisation, code="north"))
    return found


@pytest.fixture
def large(settings, tmp_path):
    """Every delivery counts as large, and is kept under a folder of this test."""
    settings.INTAKE_AT_ONCE_BYTES = 0
    settings.STORAGES = settings.STORAGES | {
        "default": {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": str(tmp_path)}}
    }
    return tmp_path


def receive(deployment, text, **options):
    content = text if isinstance(text, bytes) else text.encode()
    return receive_batch(
        deployment, source=io.BytesIO(content), media_type=options.pop("media_type", "text/csv"), **options
    )


def count(deployment):
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM monitoring_prediction WHERE deployment_id = %s", [deployment.pk])
        return cursor.fetchone()[0]


def kept_files(folder):
    return list((folder / "incoming").glob("*")) if (folder / "incoming").is_dir() else []


def test_a_large_delivery_is_kept_first_and_worked_through_by_a_job(deployment, large):
    batch = receive(deployment, HEADER + lines(0, 50))
    assert (batch.status, batch.rows, count(deployment)) == ("received", 0, 0)
    job = Job.objects.get(task="monitoring.work_through_batch")
    assert (job.queue, job.arguments) == ("ingest", {"batch_id": str(batch.pk)})
    batch = work_through(batch.pk)
    assert (batch.status, batch.rows, batch.accepted, count(deployment)) == ("done", 50, 50, 50)
    assert kept_files(large) == []
    assert work_through(batch.pk).accepted == 50  # the message may come twice
    assert count(deployment) == 50


def test_a_kept_delivery_cannot_be_read_without_the_key_and_shows_when_it_was_changed(deployment, large):
    batch = receive(deployment, HEADER + "SECRET-NAME,2026-03-01T08:00:00Z,0.5,PA,1\n")
    (path,) = kept_files(large)
    content = path.read_bytes()
    assert b"SECRET-NAME" not in content
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    batch = work_through(batch.pk)
    assert batch.status == "failed"
    assert "was changed" in batch.reason


def test_a_small_delivery_is_answered_with_its_counts(deployment):
    batch = receive(deployment, HEADER + lines(0, 5))
    assert (batch.status, batch.accepted) == ("done", 5)
    assert not Job.objects.filter(task="monitoring.work_through_batch").exists()


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
def test_packed_deliveries_are_unpacked_with_a_limit_and_cut_ones_are_told(deployment, encoding):
    pack = gzip.compress if encoding == "gzip" else zstandard.ZstdCompressor().compress
    packed = pack((HEADER + lines(0, 20)).encode())
    assert accept_batch(deployment, content=packed, media_type="text/csv", encoding=encoding).accepted == 20
    with pytest.raises(InvalidInput, match=f"not whole {encoding}"):
        accept_batch(deployment, content=packed[:-4], media_type="text/csv", encoding=encoding)
    assert PredictionBatch.objects.count() == 1


def test_a_bomb_is_stopped_while_it_grows(deployment, monkeypatch):
    from monitoring.intake import unpack

    monkeypatch.setattr(unpack.Unpacked.__init__, "__kwdefaults__", {"most": 2**20})
    monkeypatch.setattr(readers, "unpacked", lambda source, *, encoding: io.BufferedReader(
        unpack.Unpacked(source, encoding=encoding, most=2**20)))  # fmt: skip
    bomb = zstandard.ZstdCompressor().compress(b'"' + b"0" * 2**26 + b'"')
    assert len(bomb) < 10_000
    with pytest.raises(InvalidInput, match="unpacks to more than 1048576 bytes"):
        accept_batch(deployment, content=bomb, media_type="application/json", encoding="zstd")


def test_an_unknown_encoding_is_named(deployment):
    with pytest.raises(InvalidInput, match="content encoding 'br': give gzip or zstd"):
        receive(deployment, HEADER, encoding="br")


def test_the_same_large_delivery_twice_is_one_batch(deployment, large):
    first = receive(deployment, HEADER + lines(0, 5), idempotency_key="a")
    again = receive(deployment, HEADER + lines(0, 5), idempotency_key="a")
    assert first.pk == again.pk
    assert len(kept_files(large)) == 1
    with pytest.raises(InvalidInput, match="came before with other content"):
        receive(deployment, HEADER + lines(0, 6), idempotency_key="a")
    assert len(kept_files(large)) == 1


def test_a_full_disk_accepts_nothing_and_leaves_nothing(deployment, large, monkeypatch):
    (large / "incoming").symlink_to("/dev/shm/not-there-at-all")
    with pytest.raises(Unavailable, match="could not be kept"):
        receive(deployment, HEADER + lines(0, 5))
    assert not PredictionBatch.objects.exists()


def test_work_that_was_interrupted_goes_on_where_it_stopped(deployment, large, monkeypatch):
    monkeypatch.setattr(readers, "BLOCK_BYTES", 2000)
    batch = receive(deployment, HEADER + lines(0, 200) + "bad,never,0.5,PA,1\n" + lines(200, 300))
    store, seen = intake.store_chunk, []

    def killed_in_the_third(batch, piece, **options):
        seen.append(piece.n_sent)
        if len(seen) == 3:
            raise KeyboardInterrupt
        store(batch, piece, **options)

    monkeypatch.setattr(intake, "store_chunk", killed_in_the_third)
    with pytest.raises(KeyboardInterrupt):
        work_through(batch.pk)
    batch.refresh_from_db()
    assert (batch.status, batch.chunks_done) == ("received", 2)
    assert 0 < batch.accepted == count(deployment) < 300
    monkeypatch.setattr(intake, "store_chunk", store)
    batch = work_through(batch.pk)
    assert (batch.rows, batch.accepted, batch.duplicates, batch.rejected) == (301, 300, 0, 1)
    assert batch.rejects.get().row == 201
    assert count(deployment) == 300


def test_a_file_goes_on_after_an_interruption_and_is_known_afterwards(deployment, tmp_path, monkeypatch):
    monkeypatch.setattr(readers, "BLOCK_BYTES", 2000)
    path = tmp_path / "rows.csv"
    path.write_text(HEADER + lines(0, 300))
    store, seen = intake.store_chunk, []

    def killed_in_the_second(batch, piece, **options):
        seen.append(piece.n_sent)
        if len(seen) == 2:
            raise KeyboardInterrupt
        store(batch, piece, **options)

    monkeypatch.setattr(intake, "store_chunk", killed_in_the_second)
    with pytest.raises(KeyboardInterrupt):
        receiving.accept_file(deployment, path, media_type="text/csv")
    assert 0 < count(deployment) < 300
    monkeypatch.setattr(intake, "store_chunk", store)
    shown = []
    batch = receiving.accept_file(deployment, path, media_type="text/csv", progress=lambda *facts: shown.append(facts))
    assert (batch.status, batch.accepted, batch.duplicates, count(deployment)) == ("done", 300, 0, 300)
    assert shown[-1][0] <= shown[-1][1] == path.stat().st_size
    assert receiving.accept_file(deployment, path, media_type="text/csv").pk == batch.pk


def test_an_accepted_delivery_whose_job_was_given_up_is_started_again(deployment, large):
    batch = receive(deployment, HEADER + lines(0, 5))
    Job.objects.update(status=Job.Status.FAILED)
    assert receiving.resume_waiting() == 0  # young ones are left to their job
    PredictionBatch.objects.update(received_at=timezone.now() - timedelta(minutes=6))
    assert receiving.resume_waiting() == 1
    assert receiving.resume_waiting() == 0
    assert work_through(batch.pk).accepted == 5


def test_a_delivery_that_breaks_in_its_middle_keeps_the_rows_before(deployment, large, monkeypatch):
    monkeypatch.setattr(readers, "BLOCK_BYTES", 2000)
    batch = receive(deployment, (HEADER + lines(0, 200)).encode() + b"\xff\xfe,x,1,PA,1\n" + lines(200, 300).encode())
    batch = work_through(batch.pk)
    assert batch.status == "failed"
    assert "invalid UTF8" in batch.reason
    assert 0 < batch.accepted == count(deployment) < 200
    assert f"after row {batch.rows}" in batch.reason


def correction(deployment):
    summarise_batch(receive(deployment, HEADER + lines(0, 4)).pk)
    batch = receive(deployment, HEADER + "c1,2026-03-01T08:00:00Z,0.9,PA,1\nc2,2026-03-01T08:00:00Z,0.5,PA,2\n")
    summarise_batch(batch.pk)
    return batch


def test_a_known_case_with_other_values_is_a_correction_with_the_old_row_kept(deployment):
    batch = correction(deployment)
    assert (batch.accepted, batch.corrected, batch.duplicates) == (1, 1, 1)
    with connection.cursor() as cursor:
        cursor.execute("SELECT score, revision FROM monitoring_prediction ORDER BY score DESC LIMIT 1")
        assert cursor.fetchone() == (0.9, 2)
        cursor.execute("SELECT score, revision FROM monitoring_pastprediction")
        assert cursor.fetchall() == [(0.5, 1)]
    assert count(deployment) == 4


def test_day_states_after_a_correction_are_those_of_the_current_rows(deployment):
    correction(deployment)
    state = DayState.objects.get(signal="score", current=True)
    fresh = states_of(deployment, batches=list(PredictionBatch.objects.values_list("pk", flat=True)), by_day=False)
    from monitoring.drift.state import to_bytes

    assert bytes(state.content) == to_bytes(fresh["", date.min, "score"])
    assert state.n == 4


def test_a_correction_may_move_a_case_to_another_day_and_leaves_what_it_does_not_name(deployment):
    summarise_batch(receive(deployment, HEADER + lines(0, 1)).pk)
    batch = receive(deployment, "case_id,study_time\nc0,2026-04-09T08:00:00Z\n")
    summarise_batch(batch.pk)
    assert (batch.corrected, count(deployment)) == (1, 1)
    days = DayState.objects.filter(current=True, signal="score").values_list("day", "n")
    assert [(str(day), n) for day, n in days] == [("2026-04-09", 1)]
    with connection.cursor() as cursor:
        cursor.execute("SELECT score, levels FROM monitoring_prediction")
        assert cursor.fetchone() == (0.5, ["PA"])


def test_rows_not_yet_in_the_day_states_are_counted_once_beside_a_correction(deployment):
    first = receive(deployment, HEADER + lines(0, 4))
    second = receive(deployment, HEADER + "c1,2026-03-01T08:00:00Z,0.9,PA,1\n")
    summarise_batch(second.pk)  # the later batch comes first
    summarise_batch(first.pk)
    assert DayState.objects.get(signal="score", current=True).n == 4


def test_control_studies_are_set_aside(deployment):
    text = HEADER + lines(0, 2) + "CANARY-7,2026-03-01T08:00:00Z,0.71,PA,1\nPhantom 1,2026-03-01T08:00:00Z,0.1,PA,1\n"
    batch = receive(deployment, text)
    assert (batch.accepted, batch.set_aside, count(deployment)) == (2, 2, 2)
    assert sorted(ControlReading.objects.values_list("kind", "score")) == [("canary", 0.71), ("phantom", 0.1)]


def test_synthetic_images_are_refused(deployment):
    batch = receive(
        deployment,
        "case_id,study_time,score,synthetic\na,2026-03-01T08:00:00Z,0.5,YES\nb,2026-03-01T08:00:00Z,0.5,no\n",
    )
    assert (batch.accepted, batch.rejects.get().code) == (1, "synthetic")


def test_columns_that_may_name_a_person_are_taken_away_and_counted(deployment):
    text = "case_id,study_time,patient_name,comments,meta_view\n" + "".join(
        f"c{at},2026-03-01T08:00:00Z,Someone,seen today again,PA\n" for at in range(3)
    )
    batch = receive(deployment, text)
    assert batch.removed == {
        "column patient_name: may name a person": 3, "column comments: may name a person": 3,
    }  # fmt: skip
    assert set(deployment.signals.values_list("name", flat=True)) == {"meta_view"}
    with connection.cursor() as cursor:
        cursor.execute("SELECT monitoring_prediction::text FROM monitoring_prediction")
        assert all("Someone" not in row[0] and "today" not in row[0] for row in cursor.fetchall())


def test_new_missing_and_returning_columns_are_events(deployment):
    receive(deployment, HEADER + lines(0, 1))
    receive(deployment, "case_id,study_time,score,meta_view,q_blur\nd1,2026-03-01T08:00:00Z,0.5,PA,1\n")
    receive(deployment, "case_id,study_time,score,meta_view,q_blur\nd2,2026-03-01T08:00:00Z,0.5,PA,1\n")
    receive(deployment, "case_id,study_time,score,meta_view,q_blur,q_snr\nd3,2026-03-01T08:00:00Z,0.5,PA,1,3\n")
    told = SchemaEvent.objects.order_by("pk").values_list("kind", "column")
    assert list(told)[-3:] == [("new", "q_blur"), ("missing", "q_snr"), ("back", "q_snr")]
    assert [one.revision for one in deployment.schemas.all()] == [2, 1]


def test_a_label_that_is_replaced_is_kept_beside(deployment):
    accept_labels(deployment, content=b"case_id,label\nc1,0\n", media_type="text/csv")
    accept_labels(deployment, content=b"case_id,label\nc1,1\nc1,1\n", media_type="text/csv")
    assert (Label.objects.get().value, PastLabel.objects.get().value) == (1, 0)


def sign_in(client, organisation, role):
    person = MembershipFactory(organisation=organisation, role=role).person
    client.force_login(person)
    return person


def test_the_page_of_a_delivery_counts_reasons_and_gives_the_reject_file(client, deployment):
    batch = receive(deployment, HEADER + lines(0, 3) + "x,2026-03-01T08:00:00Z,7,PA,1\n=cmd(),,0.5,PA,1\n")
    sign_in(client, deployment.organisation, Role.HOSPITAL_QA)
    page = client.get(f"/deliveries/{batch.pk}").content.decode()
    assert "a number outside its range" in page
    assert "score 7 lies outside 0..1" in page
    answer = client.get(f"/deliveries/{batch.pk}/rejects.csv")
    text = b"".join(answer.streaming_content).decode().splitlines()
    assert text[0] == "row,column,code,value,reason"
    assert text[1] == "4,score,out_of_range,7,score 7 lies outside 0..1"
    assert text[2].startswith("5,study_time,missing,")
    assert "Deliveries" in client.get(f"/deployments/{deployment.slug}/deliveries").content.decode()


def test_a_colleague_of_the_developer_sees_counts_and_no_row_a_stranger_sees_nothing(client, deployment):
    batch = receive(deployment, HEADER + lines(0, 1) + "x,2026-03-01T08:00:00Z,7,PA,1\n")
    sign_in(client, deployment.version.model.organisation, Role.DEVELOPER_AUTHOR)
    page = client.get(f"/deliveries/{batch.pk}").content.decode()
    assert "out_of_range" in page
    assert "score 7 lies" not in page
    assert client.get(f"/deliveries/{batch.pk}/rejects.csv").status_code == 403
    sign_in(client, OrganisationFactory(), Role.HOSPITAL_QA)
    for path in (f"/deliveries/{batch.pk}", f"/deliveries/{batch.pk}/rejects.csv",
                 f"/deployments/{deployment.slug}/deliveries", f"/deployments/{deployment.slug}/columns"):  # fmt: skip
        assert client.get(path).status_code == 404


def test_a_person_confirms_the_columns_and_a_reader_may_not(client, deployment):
    receive(deployment, HEADER + lines(0, 1))
    sign_in(client, deployment.organisation, Role.HOSPITAL_READER)
    address = f"/deployments/{deployment.slug}/columns"
    assert client.post(f"{address}/confirm", {"revision": 1}).status_code == 403
    person = sign_in(client, deployment.organisation, Role.HOSPITAL_QA)
    assert "Confirm these 3 columns" in client.get(address).content.decode()
    client.post(f"{address}/confirm", {"revision": 1})
    schema = deployment.schemas.get()
    assert (schema.status, schema.confirmed_by) == ("confirmed", person)


def test_rules_are_checked_and_dates_cannot_change_under_stored_rows(client, deployment):
    sign_in(client, deployment.organisation, Role.HOSPITAL_QA)
    address = f"/deployments/{deployment.slug}/columns/rules"
    answer = client.post(address, {"canary_pattern": "(", "phantom_pattern": "", "dates": "kept"}, follow=True)
    assert "is not a regular expression" in answer.content.decode()
    client.post(address, {"canary_pattern": "^KT-", "phantom_pattern": "", "dates": "shifted"})
    batch = receive(deployment, HEADER + "KT-1,2026-03-04T08:00:00Z,0.5,PA,1\nc,2026-03-04T08:00:00Z,0.5,PA,1\n")
    assert batch.set_aside == 1
    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(isodow FROM study_time), study_time < '2026-03-01' FROM monitoring_prediction")
        assert cursor.fetchone() == (3, True)  # still a Wednesday, weeks earlier
    answer = client.post(address, {"canary_pattern": "^KT-", "phantom_pattern": "", "dates": "kept"}, follow=True)
    assert "cannot change once a delivery is in" in answer.content.decode()


def test_over_http_a_large_body_is_received_and_its_address_tells_the_counts(client, deployment, large):
    lead = MembershipFactory(organisation=deployment.organisation, role=Role.HOSPITAL_QA).person
    secret = issue_token(organisation=deployment.organisation, person=lead, name="g", verbs=["send_predictions"])[1]
    head = {"Authorization": f"Bearer {secret}"}
    answer = client.post(
        f"/api/v1/deployments/{deployment.pk}/predictions", data=gzip.compress((HEADER + lines(0, 9)).encode()),
        content_type="text/csv", headers=head | {"Content-Encoding": "gzip"},
    )  # fmt: skip
    assert answer.status_code == 202
    body = answer.json()
    assert (body["status"], body["rows"], body["accepted"]) == ("received", None, None)
    work_through(body["id"])
    told = client.get(f"/api/v1/batches/{body['id']}", headers=head).json()
    assert (told["status"], told["accepted"]) == ("done", 9)
    text = b"".join(client.get(f"/api/v1/batches/{body['id']}/rejects.csv", headers=head).streaming_content)
    assert text == b"row,column,code,value,reason\r\n"


def test_an_upload_that_is_cut_is_refused_whole(client, deployment):
    lead = MembershipFactory(organisation=deployment.organisation, role=Role.HOSPITAL_QA).person
    secret = issue_token(organisation=deployment.organisation, person=lead, name="g", verbs=["send_predictions"])[1]
    content = json.dumps([{"case_id": "a", "study_time": "2026-03-01T08:00:00Z"}]).encode()
    answer = client.generic(
        "POST", f"/api/v1/deployments/{deployment.pk}/predictions", content, content_type="application/json",
        headers={"Authorization": f"Bearer {secret}"}, CONTENT_LENGTH=str(len(content)),
        **{"wsgi.input": io.BytesIO(content[:-9])},
    )  # fmt: skip
    assert answer.status_code == 422
    assert answer.json()["code"] == "cut_upload"
    assert not PredictionBatch.objects.exists()


def test_what_is_kept_is_dropped_when_nothing_came_of_it(deployment, large):
    deployment.status = deployment.Status.RETIRED
    with pytest.raises(InvalidInput, match="is retired"):
        receive(deployment, HEADER + lines(0, 1))
    assert kept_files(large) == []
    with pytest.raises(Unavailable, match="is not there"), spool.opened(PredictionBatch().pk, sha256=""):
        pass


def test_images_named_by_their_case_are_measured_once_and_join_its_row(deployment, large, tmp_path):
    import nibabel
    import numpy as np
    from PIL import Image

    from monitoring.intake.image_quality import quality_panel
    from monitoring.services.files import ingest_file
    from monitoring.services.images import measure_case_image

    work_through(receive(deployment, HEADER + lines(0, 2)).pk)
    rng = np.random.default_rng(0)
    grey = rng.integers(0, 256, (40, 50), dtype=np.uint8)
    Image.fromarray(grey).save(tmp_path / "c0.png")
    volume = rng.normal(100, 5, (20, 24, 6)).astype(np.float32)
    nibabel.save(nibabel.Nifti1Image(volume, np.eye(4)), tmp_path / "c1.nii.gz")
    for name in ("c0.png", "c1.nii.gz"):
        ingest_file(deployment, tmp_path / name)
    jobs = Job.objects.filter(task="monitoring.measure_case_image", queue="ingest").order_by("queued_at")
    batches = [measure_case_image(job.arguments["case_file_id"]) for job in jobs]
    assert [batch.corrected for batch in batches] == [1, 1]
    assert measure_case_image(jobs[0].arguments["case_file_id"]).pk == batches[0].pk
    place = deployment.signals.get(name="q_mean").position
    with connection.cursor() as cursor:
        cursor.execute("SELECT numbers[%s], score FROM monitoring_prediction ORDER BY 1", [place + 1])
        found = cursor.fetchall()
    assert [score for _, score in found] == [0.5, 0.5]
    assert sorted(value for value, _ in found) == pytest.approx(
        sorted([quality_panel(grey)["q_mean"], float(volume.mean(dtype=np.float64))]), rel=1e-6
    )
    (tmp_path / "unknown.png").write_bytes((tmp_path / "c0.png").read_bytes())
    with pytest.raises(InvalidInput, match="no prediction of case 'unknown' is in"):
        ingest_file(deployment, tmp_path / "unknown.png")


def test_images_are_embedded_by_the_deployments_own_model_on_the_inference_queue(
    large, settings, tmp_path, monkeypatch
):
    import numpy as np
    from PIL import Image

    from assurance.adapters.catalogue import ADAPTERS
    from assurance.services.weights import file_sha256
    from config.home import BASE_DIR
    from monitoring.services import embeddings
    from monitoring.services.files import ingest_file

    settings.INTAKE_EMBED_IMAGES = True
    weights = BASE_DIR / "assurance" / "data" / "models" / "pneumonia_densenet_monai.safetensors"
    deployment = DeploymentFactory(version__adapter_key="monai-densenet", version__weights_sha256=file_sha256(weights))
    deployment.sites.add(SiteFactory(organisation=deployment.organisation, code="north"))
    work_through(receive(deployment, HEADER + lines(0, 1)).pk)
    grey = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    Image.fromarray(grey).save(tmp_path / "c0.png")
    ingest_file(deployment, tmp_path / "c0.png")
    job = Job.objects.get(task=embeddings.EMBED)
    assert job.queue == "inference"
    monkeypatch.setattr(embeddings, "weights_path", lambda version: weights)
    for _ in range(2):  # the message may come twice
        assert embeddings.embed_images(**job.arguments).corrected == 1
    with connection.cursor() as cursor:
        cursor.execute("SELECT embedding, score, revision FROM monitoring_prediction")
        content, score, revision = cursor.fetchone()
    assert (score, revision) == (0.5, 2)
    expected = ADAPTERS.load("monai-densenet")(weights).embed(grey).astype(np.float16)
    assert np.frombuffer(bytes(content), dtype="<f2").tolist() == expected.tolist()


def test_a_software_version_that_reads_as_a_number_is_a_level_and_opens_a_marker(deployment):
    rows = "".join(
        f"s{day}-{at},2026-03-{day:02d}T08:00:00Z,0.5,{'4.1' if day < 9 else '4.10'},120\n"
        for day in range(1, 17) for at in range(6)
    )  # fmt: skip
    batch = receive(deployment, f"case_id,study_time,score,meta_software_versions,meta_kvp\n{rows}")
    summarise_batch(batch.pk)
    kinds = dict(deployment.signals.values_list("name", "kind"))
    assert (kinds["meta_software_versions"], kinds["meta_kvp"]) == ("categorical", "numeric")
    (marker,) = markers_of(deployment)
    assert (str(marker.day), marker.before, marker.after) == ("2026-03-09", "4.1", "4.10")


def test_dicom_names_its_tags_as_the_signal_packs_do():
    from monitoring.intake.dicom.header import CATEGORIES, NUMBERS
    from monitoring.signal_packs import ACQUISITION

    known = {entry.name for entry in ACQUISITION} | {"meta_modality"}
    assert {*NUMBERS.values(), *CATEGORIES.values(), "meta_pixel_spacing", "meta_age"} <= known
