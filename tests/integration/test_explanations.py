"""From a case's image to a stored, graded map and back out through the page and the API."""

import hashlib
import io
import json
from pathlib import Path

import numpy as np
import pytest
from django.conf import settings
from PIL import Image

from accounts.models import Role
from accounts.tokens import issue_token
from assurance.evidence.errors import InvalidInput
from assurance.jobs import start_job
from assurance.models import Artefact, CaseFile, FindingRecord, Job
from assurance.services.artefacts import read_artefact, store_artefact
from assurance.services.weights import keep_weights
from explainability.models import Explanation
from explainability.selectors.explanations import explanations_for, usable_explanations
from explainability.services.cards import store_cards
from explainability.services.explanations import ask_explanation, compute_explanation
from explainability.services.map_files import unpack_map
from records.actor import SYSTEM
from records.models import AuditEvent
from tests.factories import DeploymentFactory, MembershipFactory, ModelVersionFactory, SiteFactory

pytestmark = pytest.mark.django_db
WEIGHTS = settings.BASE_DIR / "assurance" / "data" / "models" / "pneumonia_densenet_monai.safetensors"


def picture(seed=0, *, size=(96, 90)):
    """A smooth grey picture with something in it; the classifier answers whatever it likes."""
    rng = np.random.default_rng(seed)
    down, across = np.mgrid[0 : size[0], 0 : size[1]] / max(size)
    values = 90 + 60 * np.sin(5 * down + seed) * np.cos(4 * across) + rng.normal(0, 6, size)
    return np.clip(values, 0, 255).astype(np.uint8)


def png(values):
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, "PNG")
    return buffer.getvalue()


def add_file(deployment, case, content, *, role="image", media_type="image/png", **facts):
    artefact = store_artefact(content, organisation_id=deployment.organisation_id, media_type=media_type)
    return CaseFile.objects.create(
        organisation=deployment.organisation,
        deployment=deployment,
        case=case,
        role=role,
        artefact=artefact,
        facts=facts,
    )


@pytest.fixture(autouse=True)
def files(settings, tmp_path):
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": str(tmp_path)}},
    }
    settings.WEIGHTS_DIR = tmp_path / "weights"


@pytest.fixture
def deployment():
    sha256 = keep_weights(WEIGHTS)
    found = DeploymentFactory(version=ModelVersionFactory(weights_sha256=sha256))
    found.sites.add(SiteFactory(organisation=found.organisation))
    add_file(found, "a" * 32, png(picture()), spacing_mm=0.8, site="north")
    return found


def person(deployment, role=Role.HOSPITAL_QA):
    return MembershipFactory(organisation=deployment.organisation, role=role).person


def test_a_map_is_asked_for_once_and_stored_with_card_statements_and_hashes(deployment):
    asked = ask_explanation(deployment, case="a" * 32, method="grad_cam", origin="person", by=SYSTEM)
    again = ask_explanation(deployment, case="a" * 32, method="grad_cam", origin="person", by=SYSTEM)
    assert asked.pk == again.pk
    done = compute_explanation(asked)
    assert (done.status, done.reason) == ("done", "")
    values, mask, facts = unpack_map(read_artefact(done.map_file))
    assert values.shape == (96, 90)
    assert mask is None
    assert values.any()
    assert facts["weights_sha256"] == deployment.version.weights_sha256
    assert facts["image_sha256"] == CaseFile.objects.get().artefact.sha256
    assert done.facts["spacing_mm"] == [0.8, 0.8]
    assert read_artefact(done.overlay)[:4] == b"\x89PNG"
    assert {item["quantity"] for item in done.report_card} >= {"randomisation", "deletion", "insertion", "infidelity"}
    assert any("n = 32 fills" in fact["text"] for fact in done.statements)
    assert AuditEvent.objects.filter(action="explanation.settle", subject_id=str(done.pk)).count() == 1
    assert compute_explanation(done).finished_at == done.finished_at  # a settled row is left as it is


def test_the_same_question_gives_the_same_bytes(deployment):
    first = compute_explanation(ask_explanation(deployment, case="a" * 32, method="saliency", by=SYSTEM))
    Explanation.objects.filter(pk=first.pk).update(status="queued")
    second = compute_explanation(first)
    assert first.map_file.sha256 == second.map_file.sha256
    assert first.report_card == second.report_card


@pytest.mark.parametrize(
    ("content", "facts", "code"),
    [
        (png(np.zeros((64, 64), np.uint8)), {}, "flat_image"),
        (b"this is not an image", {}, "unknown_format"),
        (b"\x89PNG\r\n\x1a\n broken", {}, "unreadable"),
        (png(picture(size=(6, 6))), {}, "bad_shape"),
        (png(picture()), {"spacing_mm": [1, -2]}, "bad_spacing"),
        (png(picture()), {"prompt": "left"}, "bad_prompt"),
    ],
)
def test_a_bad_image_is_a_stored_outcome_with_its_reason(deployment, content, facts, code):
    add_file(deployment, "b" * 32, content, **facts)
    failed = compute_explanation(ask_explanation(deployment, case="b" * 32, method="saliency", by=SYSTEM))
    assert (failed.status, failed.code) == ("failed", code)
    assert failed.reason
    assert failed.map_file is None


def npy(values):
    buffer = io.BytesIO()
    np.save(buffer, values)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("values", "code"),
    [
        (np.full((64, 64), np.nan), "not_finite"),
        (picture().astype(float) * 100, "out_of_range"),
        (np.zeros((4, 4, 4, 4)), "bad_shape"),
        (picture().astype(complex), "bad_shape"),
        (np.stack([picture()] * 5, axis=-1), "bad_shape"),  # five channels are a volume, and this model reads planes
    ],
)
def test_numbers_that_are_no_image_are_stored_outcomes(deployment, values, code):
    add_file(deployment, "c" * 32, npy(values), media_type="application/x-npy")
    failed = compute_explanation(ask_explanation(deployment, case="c" * 32, method="saliency", by=SYSTEM))
    assert (failed.status, failed.code) == ("failed", code)


def test_a_mask_of_another_shape_is_a_stored_outcome(deployment):
    add_file(deployment, "a" * 32, png(np.ones((10, 10), np.uint8)), role="truth")
    failed = compute_explanation(ask_explanation(deployment, case="a" * 32, method="saliency", by=SYSTEM))
    assert (failed.status, failed.code) == ("failed", "bad_shape")
    assert "(10, 10)" in failed.reason


def test_a_target_that_the_model_lacks_is_a_stored_outcome(deployment):
    asked = ask_explanation(deployment, case="a" * 32, method="saliency", parameters={"target": 7}, by=SYSTEM)
    failed = compute_explanation(asked)
    assert failed.code == "no_target"
    assert "pneumonia" in failed.reason


def test_weights_of_another_model_are_a_stored_outcome(deployment, tmp_path):
    import torch
    from safetensors.torch import save_file

    other = tmp_path / "other.safetensors"
    save_file({"layer": torch.ones(3)}, other)
    other.with_suffix(".json").write_text(WEIGHTS.with_suffix(".json").read_text())
    deployment.version = ModelVersionFactory(model=deployment.version.model, weights_sha256=keep_weights(other))
    deployment.save()
    failed = compute_explanation(ask_explanation(deployment, case="a" * 32, method="saliency", by=SYSTEM))
    assert (failed.status, failed.code) == ("failed", "other_model")


def test_running_out_of_memory_is_a_stored_outcome(deployment, monkeypatch):
    def hungry(*args, **options):
        raise MemoryError

    monkeypatch.setattr("explainability.attribution.smooth_gradient.saliency", hungry)
    failed = compute_explanation(ask_explanation(deployment, case="a" * 32, method="saliency", by=SYSTEM))
    assert (failed.status, failed.code) == ("failed", "out_of_memory")


def test_a_refused_map_can_be_asked_for_again_when_its_cause_is_mended(deployment):
    file = add_file(deployment, "d" * 32, b"broken")
    failed = compute_explanation(ask_explanation(deployment, case="d" * 32, method="saliency", by=SYSTEM))
    assert failed.status == "failed"
    good = store_artefact(png(picture(3)), organisation_id=deployment.organisation_id, media_type="image/png")
    CaseFile.objects.filter(pk=file.pk).update(artefact=good)
    asked = ask_explanation(deployment, case="d" * 32, method="saliency", by=SYSTEM)
    assert asked.status == "queued"
    assert compute_explanation(asked).status == "done"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"method": "tea_leaves"}, "integrated_gradients"),
        ({"method": "seg_grad_cam"}, "not made for classification"),
        ({"method": "saliency", "parameters": {"steps": 3}}, "takes no steps"),
        ({"method": "integrated_gradients", "parameters": {"steps": "many"}}, "give a number"),
        ({"method": "saliency", "parameters": {"effort": "heroic"}}, "brief, quick, full"),
        ({"method": "saliency", "case": "f" * 32}, "has no image"),
    ],
)
def test_a_wrong_question_is_refused_at_the_door(deployment, options, words):
    with pytest.raises(InvalidInput, match=words):
        ask_explanation(deployment, **{"case": "a" * 32, "by": SYSTEM, **options})


def test_an_alarms_job_makes_the_maps_that_suit_the_task(deployment, django_capture_on_commit_callbacks):
    with django_capture_on_commit_callbacks(execute=True):
        job = start_job(
            "explainability.explain_cases", queue="inference", title="Maps", organisation_id=deployment.organisation_id,
            arguments={"deployment_id": str(deployment.pk), "alarm_id": 5, "cases": ["a" * 32, "f" * 32],
                       "methods": ["seg_grad_cam", "saliency"]},
        )  # fmt: skip
    job.refresh_from_db()
    assert (job.status, job.reason, job.percent) == ("done", "", 100)
    rows = Explanation.objects.filter(origin="alarm:5")
    assert {(row.case, row.method, row.status) for row in rows} == {
        ("a" * 32, "grad_cam", "done"),
        ("a" * 32, "saliency", "done"),
    }


def test_a_cancelled_job_settles_nothing_more(deployment):
    from assurance import jobs
    from explainability.tasks import explain_one

    asked = ask_explanation(deployment, case="a" * 32, method="saliency", by=SYSTEM)
    job = Job.objects.create(
        task="explainability.explain_one", queue="inference", title="Map", lock=77,
        arguments={"explanation_id": str(asked.pk)}, organisation=deployment.organisation,
    )  # fmt: skip
    seen = []
    original = jobs.report_progress

    def stop_at_the_third(running, **options):
        seen.append(options["step"])
        if len(seen) == 3:
            jobs.cancel(job)
        original(running, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("explainability.tasks.report_progress", stop_at_the_third)
        explain_one(str(job.pk))
    job.refresh_from_db()
    asked.refresh_from_db()
    assert (job.status, asked.status) == ("cancelled", "queued")
    assert len(seen) == 3


def test_a_method_that_fails_its_card_is_kept_but_barred(deployment):
    done = compute_explanation(ask_explanation(deployment, case="a" * 32, method="saliency", by=SYSTEM))
    store_cards(deployment, version=deployment.version)
    card = FindingRecord.objects.get(quantity="report_card", signal="saliency", superseded_by=None)
    assert card.state == "insufficient"
    assert card.content["minimum_n"] == 50
    assert [item.explanation.pk for item in usable_explanations(deployment)] == [done.pk]
    failing = [{**item, "state": "watch", "value": -0.5} if item["quantity"] == "randomisation" else item
               for item in done.report_card]  # fmt: skip
    Explanation.objects.bulk_create(
        Explanation(
            organisation=deployment.organisation, deployment=deployment, version=deployment.version, case=f"{n:032x}",
            method="saliency", parameters_sha256=hashlib.sha256(b"x").hexdigest(), status="done", report_card=failing,
            map_file=done.map_file, overlay=done.overlay, finished_at=done.finished_at,
        )
        for n in range(60)
    )  # fmt: skip
    store_cards(deployment, version=deployment.version)
    card = FindingRecord.objects.get(quantity="report_card", signal="saliency", superseded_by=None)
    assert (card.state, card.n_cases) == ("act", 61)
    assert "Randomised weights" in card.content["reason"]
    assert usable_explanations(deployment) == []
    barred = explanations_for(deployment).first()
    assert barred.status == "done"
    assert "Randomised weights" in barred.barred_reason


def test_owner_colleague_and_stranger_at_the_page(client, deployment):
    done = compute_explanation(ask_explanation(deployment, case="a" * 32, method="grad_cam", by=SYSTEM))
    address = f"/deployments/{deployment.slug}/cases/{'a' * 32}"
    layer = f"/explanations/{done.pk}/layers/map"
    reader = person(deployment, Role.HOSPITAL_READER)
    client.force_login(reader)
    page = client.get(address)
    assert page.status_code == 200
    text = page.content.decode()
    assert "shows what influenced the output, not whether" in text
    assert "Grad-CAM" in text
    assert "Make the map" not in text  # a reader looks, the QA lead asks
    answer = client.get(layer)
    numbers = np.frombuffer(answer.content, "<i2") * float(answer["X-Slope"])
    stored = unpack_map(read_artefact(done.map_file))[0]
    assert numbers.reshape(96, 90) == pytest.approx(stored, abs=float(np.abs(stored).max()) / 30000)
    client.force_login(MembershipFactory(organisation=deployment.version.model.organisation,
                                         role=Role.DEVELOPER_AUTHOR).person)  # fmt: skip
    assert client.get(address).status_code == 403  # the developer sees findings, never patients
    assert client.get(f"/deployments/{deployment.slug}/explanations").status_code == 200
    client.force_login(MembershipFactory(role=Role.HOSPITAL_QA).person)
    assert client.get(address).status_code == 404
    assert client.get(layer).status_code == 404


def test_the_page_asks_and_the_case_list_shows(client, deployment, django_capture_on_commit_callbacks):
    client.force_login(person(deployment))
    address = f"/deployments/{deployment.slug}/cases"
    with django_capture_on_commit_callbacks(execute=True):
        client.post(f"{address}/{'a' * 32}/ask", {"method": "saliency", "effort": "quick"})
    assert Explanation.objects.get().status == "done"
    assert "1 map" in client.get(address).content.decode()
    assert "Report card" in client.get(f"{address}/{'a' * 32}").content.decode()


@pytest.mark.parametrize(
    ("kind", "start"), [("png", b"\x89PNG"), ("npz", b"PK"), ("nifti", b"\x1f\x8b"), ("dicom", b"")]
)
def test_downloads_are_files_of_their_kind(client, deployment, kind, start):
    import nibabel
    import pydicom

    done = compute_explanation(ask_explanation(deployment, case="a" * 32, method="grad_cam", by=SYSTEM))
    client.force_login(person(deployment))
    content = client.get(f"/explanations/{done.pk}/download/{kind}").content
    assert content.startswith(start)
    if kind == "nifti":
        import gzip

        image = nibabel.Nifti1Image.from_bytes(gzip.decompress(content))
        stored = unpack_map(read_artefact(done.map_file))[0]
        assert pytest.approx(stored) == np.asarray(image.dataobj)[:, :, 0].T
        assert image.header.get_zooms()[:2] == pytest.approx((0.8, 0.8))
    if kind == "dicom":
        dataset = pydicom.dcmread(io.BytesIO(content))
        assert dataset.PatientID == "a" * 32
        assert str(dataset.PatientName) == ""


def test_a_dicom_image_gives_a_parametric_map_of_the_maps_own_numbers(client, deployment):
    """Written by highdicom, read back by pydicom: float values in place, and the image that they explain named."""
    import pydicom

    from tests.dicom_objects import as_file, ct_slice

    source = ct_slice(3, pixels=picture(4, size=(48, 40)).astype(np.uint16))
    add_file(deployment, "9" * 32, as_file(source).getvalue(), media_type="application/dicom")
    done = compute_explanation(ask_explanation(deployment, case="9" * 32, method="grad_cam", by=SYSTEM))
    assert (done.status, done.reason) == ("done", "")
    client.force_login(person(deployment))
    answer = client.get(f"/explanations/{done.pk}/download/dicom")
    assert answer["Content-Type"] == "application/dicom"
    found = pydicom.dcmread(io.BytesIO(answer.content))
    assert found.SOPClassUID.name == "Parametric Map Storage"
    stored = unpack_map(read_artefact(done.map_file))[0]
    values = np.frombuffer(found.FloatPixelData, "<f4").reshape(found.Rows, found.Columns)
    assert values == pytest.approx(stored)
    assert found.FrameOfReferenceUID == source.FrameOfReferenceUID
    assert found.ReferencedSeriesSequence[0].ReferencedInstanceSequence[0].ReferencedSOPInstanceUID == (
        source.SOPInstanceUID
    )
    shared = found.SharedFunctionalGroupsSequence[0]
    assert [float(step) for step in shared.PixelMeasuresSequence[0].PixelSpacing] == [0.8, 0.8]
    frame = found.PerFrameFunctionalGroupsSequence[0]
    assert list(frame.PlanePositionSequence[0].ImagePositionPatient) == [0, 0, 7.5]
    mapping = (frame if "RealWorldValueMappingSequence" in frame else shared).RealWorldValueMappingSequence[0]
    assert mapping.LUTExplanation == "weighted activation"
    again = client.get(f"/explanations/{done.pk}/download/dicom").content
    assert pydicom.dcmread(io.BytesIO(again)).SOPInstanceUID == found.SOPInstanceUID


def test_a_volumes_map_is_a_nifti_on_its_own_grid(client, deployment):
    import gzip

    import nibabel

    from explainability.attribution.attribution import Attribution
    from explainability.services.map_files import pack_map

    affine = np.array([[0, 0, 2.0, 5], [-3.0, 0, 0, 6], [0, 1.5, 0, 7], [0, 0, 0, 1]])
    volume = np.random.default_rng(0).normal(0, 1, (9, 10, 11)).astype(np.float32)
    add_file(deployment, "8" * 32, gzip.compress(nibabel.Nifti1Image(volume, affine).to_bytes()))
    done = compute_explanation(ask_explanation(deployment, case="a" * 32, method="saliency", by=SYSTEM))
    values = np.abs(volume)
    attribution = Attribution(values, values, None, "mask", "logit", False, 1.0)
    packed = pack_map(attribution, mask=None, facts={"method": "saliency", "target": "mask", "unit": "logit"})
    where = {"organisation_id": deployment.organisation_id, "media_type": "application/x-npz"}
    Explanation.objects.filter(pk=done.pk).update(case="8" * 32, map_file=store_artefact(packed, **where))
    client.force_login(person(deployment))
    content = client.get(f"/explanations/{done.pk}/download/nifti").content
    found = nibabel.Nifti1Image.from_bytes(gzip.decompress(content))
    assert np.asarray(found.dataobj) == pytest.approx(values, abs=2e-3)
    assert found.affine == pytest.approx(affine)
    assert client.get(f"/explanations/{done.pk}/download/dicom").content[128:132] == b"DICM"


def test_the_api_asks_and_answers(client, deployment, django_capture_on_commit_callbacks):
    lead = person(deployment)
    secret = issue_token(organisation=deployment.organisation, person=lead, name="gateway", verbs=["ask_explanation"])[
        1
    ]
    headers = {"Authorization": f"Bearer {secret}"}
    address = f"/api/v1/deployments/{deployment.pk}/explanations"
    with django_capture_on_commit_callbacks(execute=True):
        answer = client.post(
            address, data=json.dumps({"method": "grad_cam", "case": "a" * 32}), content_type="application/json",
            headers=headers,
        )  # fmt: skip
    assert answer.status_code == 202
    body = client.get(f"/api/v1/explanations/{answer.json()['id']}", headers=headers).json()
    assert (body["status"], body["method"]) == ("done", "grad_cam")
    assert body["statements"]
    assert "not whether" in body["caution"]
    wrong = client.post(
        address, data=json.dumps({"method": "x", "case": "a" * 32}), content_type="application/json", headers=headers
    )
    assert wrong.status_code == 422
    assert "grad_cam" in wrong.json()["message"]
    stranger = DeploymentFactory()
    assert client.post(
        f"/api/v1/deployments/{stranger.pk}/explanations", data="{}", content_type="application/json", headers=headers
    ).status_code in (404, 422)


def test_asking_does_not_load_torch():
    """The web process and three of the four workers must not carry it."""
    import subprocess
    import sys

    code = (
        "import django; django.setup(); import sys, explainability.api, explainability.tasks, "
        "explainability.views.cases, explainability.views.files, explainability.selectors.explanations; "
        "sys.exit(int(any(name in sys.modules for name in ('torch', 'captum', 'monai'))))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=Path(settings.BASE_DIR)).returncode == 0


def test_equal_overlays_are_stored_once(deployment):
    compute_explanation(ask_explanation(deployment, case="a" * 32, method="grad_cam", by=SYSTEM))
    before = Artefact.objects.count()
    Explanation.objects.update(status="queued")
    compute_explanation(Explanation.objects.get())
    assert Artefact.objects.count() == before
