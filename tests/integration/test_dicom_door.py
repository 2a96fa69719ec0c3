"""DICOM by STOW-RS, by C-STORE and by file: every instance answered for, values in the case's one row."""

import hashlib
import json

import numpy as np
import pytest
from django.conf import settings as django_settings
from django.core.management import call_command
from django.db import connection

from accounts.models import Role
from accounts.row_security import see_only
from accounts.tokens import issue_token
from assurance.models import Artefact, CaseFile, Job
from assurance.services.artefacts import read_artefact
from monitoring.models import PredictionBatch, StudyObject
from monitoring.services.dicom_door import accept_objects, measure_images
from tests import dicom_objects as made
from tests.factories import DeploymentFactory, MembershipFactory, SiteFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def deployment(settings, tmp_path):
    settings.STORAGES = settings.STORAGES | {
        "default": {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": str(tmp_path)}}
    }
    found = DeploymentFactory()
    found.sites.add(SiteFactory(organisation=found.organisation, code="north"))
    return found


@pytest.fixture
def head(deployment):
    lead = MembershipFactory(organisation=deployment.organisation, role=Role.HOSPITAL_QA).person
    secret = issue_token(
        organisation=deployment.organisation, person=lead, name="pacs", verbs=["send_predictions"],
        deployment_id=deployment.pk,
    )[1]  # fmt: skip
    return {"Authorization": f"Bearer {secret}"}


def stow(client, head, files, *, path="/dicomweb/studies", cut=0):
    body = b""
    for file in files:
        content = file if isinstance(file, bytes) else made.as_file(file).getvalue()
        body += b"--xyz\r\nContent-Type: application/dicom\r\n\r\n" + content + b"\r\n"
    body += b"--xyz--"
    kind = 'multipart/related; type="application/dicom"; boundary=xyz'
    return client.generic("POST", path, body[: len(body) - cut], content_type=kind, headers=head)


def rows():
    with connection.cursor() as cursor:
        cursor.execute("SELECT score, numbers, levels FROM monitoring_prediction")
        return cursor.fetchall()


def value(deployment, name):
    signal = deployment.signals.get(name=name)
    _, numbers, levels = rows()[0]
    return (numbers if signal.kind == "numeric" else levels)[signal.position]


def study():
    slices = [made.ct_slice(n, pixels=np.full((32, 32), 100 + n, dtype=np.uint16)) for n in range(3)]
    mask = np.zeros((3, 32, 32), dtype=bool)
    mask[:, 4:8, 4:8] = True
    return slices, made.segmentation(mask, slices), made.measurement_report(slices, volume_mm3=48 * 1.6)


def test_a_study_becomes_one_row_of_its_case(client, deployment, head):
    slices, mask, report = study()
    answer = stow(client, head, [report, mask, *slices])
    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/dicom+json"
    assert len(answer.json()["00081199"]["Value"]) == 5
    assert len(rows()) == 1
    assert rows()[0][0] == pytest.approx(0.83)
    assert value(deployment, "meta_manufacturer") == "Acme"
    assert value(deployment, "n_components") == 1
    batch = PredictionBatch.objects.get(pk=answer["X-Vigil-Batch"])
    assert (batch.door, batch.accepted) == ("dicom", 1)
    assert batch.removed["private tags"] == 3


def test_masks_and_heat_maps_are_kept_under_their_hash_for_their_own_organisation_alone(client, deployment, head):
    slices, mask, _ = study()
    heat_map = made.secondary_capture(np.full((8, 9, 3), 7, dtype=np.uint8), burned="NO")
    stow(client, head, [mask, heat_map, *slices])
    kept = {one.kind: one.artefact for one in StudyObject.objects.exclude(kind="image").select_related("artefact")}
    assert kept["segmentation"].media_type == "application/x-nifti+gzip"
    assert kept["capture"].media_type == "image/png"
    for artefact in kept.values():
        assert hashlib.sha256(read_artefact(artefact)).hexdigest() == artefact.sha256
    output = CaseFile.objects.get(deployment=deployment, role=CaseFile.Role.OUTPUT)
    assert output.artefact in kept.values()
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL ROLE {django_settings.DATABASE_APP_ROLE}")
        for seen, tenants in ((True, [deployment.organisation_id]), (False, [deployment.organisation_id + 1])):
            see_only(tenants)
            assert StudyObject.objects.exists() == seen
            assert CaseFile.objects.exists() == seen
            assert Artefact.objects.filter(pk__in=[one.pk for one in kept.values()]).exists() == seen
        cursor.execute("RESET ROLE")


def test_objects_that_come_later_add_their_columns_and_known_ones_are_not_taken_twice(client, deployment, head):
    slices, _, report = study()
    stow(client, head, slices)
    answer = stow(client, head, [report, slices[0]])
    assert answer.status_code == 202  # the known instance is told as a warning
    words = answer.json()["00081199"]["Value"][1]["00091001"]["Value"][0]
    assert "came before" in words
    assert len(rows()) == 1
    assert rows()[0][0] == pytest.approx(0.83)
    assert value(deployment, "meta_manufacturer") == "Acme"
    assert StudyObject.objects.count() == 4
    again = stow(client, head, [report])
    assert again.status_code == 202
    assert "X-Vigil-Batch" not in again


def test_each_failure_is_listed_with_its_reason_and_the_good_ones_go_in(client, head, deployment):
    synthetic = made.ct_slice(study="1.2.9")
    synthetic.StudyInstanceUID = "1.2.9"
    synthetic.add_new(0x0008001C, "CS", "YES")
    answer = stow(client, head, [made.loose_report(), b"no dicom at all", synthetic])
    assert answer.status_code == 202
    failed = answer.json()["00081198"]["Value"]
    assert sorted(item["00081197"]["Value"][0] for item in failed) == [0xA900, 0xC000]
    assert any("synthetic" in item["00091001"]["Value"][0] for item in failed)
    stored = answer.json()["00081199"]["Value"]
    assert stored[0]["00081196"]["Value"] == [0xB006]
    assert any("no_unit" in words for words in stored[0]["00091001"]["Value"])
    assert len(rows()) == 1
    client.force_login(MembershipFactory(organisation=deployment.organisation, role=Role.HOSPITAL_QA).person)
    page = client.get(f"/deliveries/{answer['X-Vigil-Batch']}").content.decode()
    assert "AI score: no unit is given" in page
    assert "not_dicom" in page


def test_nothing_stored_is_409_and_a_wrong_or_cut_body_is_told(client, head, deployment):
    assert stow(client, head, [b"x"]).status_code == 409
    assert stow(client, head, [made.loose_report()], cut=30).json()["code"] == "cut_upload"
    answer = client.post("/dicomweb/studies", data=b"x", content_type="application/dicom", headers=head)
    assert answer.status_code == 415
    assert client.post("/dicomweb/studies", data=b"", content_type="text/plain").status_code == 401
    assert not rows()


def test_a_stranger_finds_no_deployment(client, deployment):
    stranger = DeploymentFactory()
    lead = MembershipFactory(organisation=stranger.organisation, role=Role.HOSPITAL_QA).person
    secret = issue_token(organisation=stranger.organisation, person=lead, name="p", verbs=["send_predictions"])[1]
    head = {"Authorization": f"Bearer {secret}"}
    assert stow(client, head, [b"x"], path=f"/dicomweb/studies?deployment={deployment.slug}").status_code == 404
    see = issue_token(organisation=stranger.organisation, person=lead, name="p", verbs=["see"])[1]
    head = {"Authorization": f"Bearer {see}"}
    assert stow(client, head, [b"x"], path=f"/dicomweb/studies?deployment={stranger.slug}").status_code == 403


def test_the_quality_panel_of_images_is_added_once_and_what_was_kept_is_dropped(deployment, tmp_path):
    rng = np.random.default_rng(3)
    images = [made.ct_slice(n, pixels=rng.normal(1000, 20, (64, 64)).astype(np.uint16)) for n in range(3)]
    batch = accept_objects(deployment, [made.as_file(image) for image in images]).batch
    kept = list((tmp_path / "incoming").iterdir())
    assert len(kept) == 3
    assert all(b"Nobody" not in path.read_bytes() for path in kept)
    assert Job.objects.filter(task="monitoring.measure_images", queue="ingest").count() == 1
    assert measure_images(batch.pk) == 3
    assert measure_images(batch.pk) == 0
    assert list((tmp_path / "incoming").iterdir()) == []
    assert value(deployment, "q_mean") == pytest.approx(np.median([image.pixel_array.mean() for image in images]))
    assert value(deployment, "q_noise_sd") == pytest.approx(20, rel=0.1)
    assert value(deployment, "q_bit_depth") == 12
    assert len(rows()) == 1


@pytest.fixture
def no_rows_left(transactional_db):
    """Django empties its own tables after a test with real transactions; the partitioned ones it does not know."""
    tables = ("monitoring_prediction", "monitoring_caseplace", "monitoring_pastprediction")

    def empty():
        with connection.cursor() as cursor:
            for table in tables:
                cursor.execute(f"DELETE FROM {table}")

    empty()
    yield
    empty()


@pytest.mark.django_db(transaction=True)
def test_a_listener_takes_objects_by_c_store_and_answers_with_a_status(no_rows_left, deployment):
    from pynetdicom import AE
    from pynetdicom.sop_class import ComprehensiveSRStorage, Verification

    from monitoring.management.commands.receive import listen

    server = listen(deployment, host="127.0.0.1", port=0, ae_title="VIGIL", peers=["PACS"])
    try:
        port = server.socket.getsockname()[1]
        sender = AE(ae_title="PACS")
        sender.add_requested_context(ComprehensiveSRStorage, "1.2.840.10008.1.2.1")
        sender.add_requested_context(Verification)
        association = sender.associate("127.0.0.1", port, ae_title="VIGIL")
        assert association.is_established
        assert association.send_c_echo().Status == 0
        report = study()[2]
        assert association.send_c_store(report).Status == 0x0000
        assert association.send_c_store(made.loose_report(study="1.2.77")).Status == 0xB007
        bad = made.loose_report()
        bad.StudyInstanceUID = ""
        assert association.send_c_store(bad).Status == 0xA900
        association.release()
        stranger = AE(ae_title="SOMEBODY")
        stranger.add_requested_context(Verification)
        assert not stranger.associate("127.0.0.1", port, ae_title="VIGIL").is_established
    finally:
        server.shutdown()
    assert len(rows()) == 2


def test_the_command_takes_folders_of_dicom_and_reports_each(deployment, tmp_path, capsys):
    folder = tmp_path / "study"
    folder.mkdir()
    slices, mask, report = study()
    for number, dataset in enumerate((*slices, mask, report)):
        (folder / f"{number}.dcm").write_bytes(made.as_file(dataset).getvalue())
    call_command("ingest", deployment.slug, str(folder), "--json")
    told = json.loads(capsys.readouterr().out)
    assert len(told["files"]) == 5
    assert len(rows()) == 1
    assert rows()[0][0] == pytest.approx(0.83)
