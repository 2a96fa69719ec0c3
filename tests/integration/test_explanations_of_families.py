"""Maps of registration, localization and generation, and of parts of a segmentation, from the job to the stored row."""

import gzip
import json

import nibabel
import numpy as np
import pytest

from assurance.models import CaseFile, Job
from assurance.services.artefacts import read_artefact, store_artefact
from assurance.services.weights import keep_weights
from explainability.models import Explanation
from explainability.selectors.explanations import method_cards
from explainability.services.explanations import ask_explanation
from explainability.services.map_files import unpack_layer, unpack_map
from records.actor import SYSTEM
from tests import small_models
from tests.factories import DeploymentFactory, ModelFactory, ModelVersionFactory
from tests.integration.test_explanations import add_file, npy, png

pytestmark = pytest.mark.django_db
CASE = "e" * 32
SIGNS = {"R": 1, "A": 1, "S": 1, "L": -1, "P": -1, "I": -1}


@pytest.fixture(autouse=True)
def files(settings, tmp_path):
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": str(tmp_path)}},
    }
    settings.WEIGHTS_DIR = tmp_path / "weights"


@pytest.fixture
def job(django_capture_on_commit_callbacks):
    """Ask as a person does and let the worker's job run; the settled row comes back."""

    def run(deployment, method, **parameters):
        with django_capture_on_commit_callbacks(execute=True):
            asked = ask_explanation(deployment, case=CASE, method=method, parameters=parameters, by=SYSTEM)
        found = Explanation.objects.select_related("map_file").get(pk=asked.pk)
        assert found.job.queue == "inference"
        return found

    return run


def nifti(volume):
    """The volume's bytes; its axes are written into the affine."""
    affine = np.zeros((4, 4))
    for axis, (side, step) in enumerate(zip(volume.axes, volume.spacing_mm, strict=True)):
        row = next(place for place, pair in enumerate(("RL", "AP", "SI")) if side in pair)
        affine[row, axis] = SIGNS[side] * step
    affine[3, 3] = 1
    return gzip.compress(nibabel.Nifti1Image(np.asarray(volume.array, np.float32), affine).to_bytes(), mtime=0)


def deployment_of(adapter_key, task, weights, **names):
    model = ModelFactory(task=task, **names)
    version = ModelVersionFactory(model=model, adapter_key=adapter_key, weights_sha256=keep_weights(weights))
    return DeploymentFactory(version=version)


def kept(deployment, content):
    return store_artefact(content, organisation_id=deployment.organisation_id, media_type="application/x-nifti").sha256


def checks_of(found):
    return {item["quantity"]: item for item in found.report_card}


def registered(tmp_path, key):
    small = small_models.MAKERS[key](tmp_path)
    deployment = deployment_of(key, "registration", small.weights)
    fixed = kept(deployment, nifti(small.image.fixed))
    add_file(deployment, CASE, nifti(small.image.moving), media_type="application/x-nifti", fixed=fixed)
    return deployment, small


@pytest.mark.parametrize("method", ["displacement_gradient", "displacement_occlusion", "similarity_gradient"])
def test_a_registration_is_mapped_graded_and_kept_with_its_field(method, job, tmp_path):
    deployment, small = registered(tmp_path, "voxelmorph")
    own = {"displacement_gradient": {"component": "1"}, "displacement_occlusion": {"blocks": 2}}
    parameters = {"landmark": "20,8,12"} | own.get(method, {})
    found = job(deployment, method, **parameters)
    assert (found.status, found.reason) == ("done", "")
    shape = small.image.fixed.array.shape
    content = read_artefact(found.map_file)
    values, mask, facts = unpack_map(content)
    assert values.shape == shape
    assert mask is None
    assert (facts["axes"], facts["landmark"]) == ("LIA", [20, 8, 12])
    assert "20, 8, 12" in facts["target"]
    if method == "displacement_gradient":
        assert "along axis 1" in facts["target"]
    field = unpack_layer(content, "displacement")
    assert field.shape == (3, *shape)  # small: every voxel is kept
    predicted = small_model(deployment).predict(small.image)
    assert field == pytest.approx(predicted.displacement_mm, abs=1e-3)
    assert unpack_layer(content, "warped") == pytest.approx(predicted.warped, abs=0.01)
    checks = checks_of(found)
    assert {"randomisation", "deletion", "insertion", "infidelity"} <= set(checks)
    assert checks["deletion"]["value"] is not None
    assert checks["deletion"]["unit"] == ("1" if method == "similarity_gradient" else "mm")
    assert checks["pointing_game"]["value"] is None  # a displacement has no region where it must come from
    assert any("displacement" in fact["text"] or "correlation" in fact["text"] for fact in found.statements)
    cards = {record.quantity: record for record in method_cards(deployment)}
    assert cards["report_card"].state == "insufficient"
    assert cards["card_deletion"].n_cases == 1


def small_model(deployment):
    from explainability.services.loaded_models import LoadedModels

    return LoadedModels().of(deployment.version)


def test_unigradicon_is_mapped_by_the_same_service(job, tmp_path, monkeypatch):
    from assurance.adapters import unigradicon

    monkeypatch.setitem(unigradicon.load.__kwdefaults__, "side", 66)
    monkeypatch.setattr("explainability.services.mapping.checks_of", lambda effort: ("infidelity",))
    deployment, _ = registered(tmp_path, "unigradicon")
    found = job(deployment, "similarity_gradient", landmark="8,8,8", crop=0)
    assert (found.status, found.reason) == ("done", "")
    assert unpack_layer(read_artefact(found.map_file), "displacement").shape == (3, 16, 16, 16)
    assert found.facts["extras"]["share_moving"] + found.facts["extras"]["share_fixed"] == pytest.approx(1)


@pytest.mark.parametrize(
    ("facts", "parameters", "code"),
    [
        ({}, {}, "no_fixed"),
        ({"fixed": "f" * 64}, {}, "no_image"),
        ({"fixed": True}, {"landmark": "1,2"}, "bad_landmark"),
        ({"fixed": True}, {"landmark": "900,0,0"}, "bad_landmark"),
        ({"fixed": True}, {"component": "up"}, "bad_component"),
        ({"fixed": True}, {"precision": "float8"}, "bad_precision"),
    ],
)
def test_a_registration_that_cannot_be_meant_is_a_stored_outcome(facts, parameters, code, job, tmp_path):
    deployment, _ = registered(tmp_path, "voxelmorph")
    if facts.get("fixed") is not True:
        CaseFile.objects.update(facts=facts)
    found = job(deployment, "displacement_gradient", **parameters)
    assert (found.status, found.code) == ("failed", code)
    assert found.reason


def test_another_grid_is_a_stored_outcome(job, tmp_path):
    deployment, _ = registered(tmp_path, "voxelmorph")
    other = small_models.volume(4, (16, 16, 16), axes="LIA")
    CaseFile.objects.update(facts={"fixed": kept(deployment, nifti(other))})
    found = job(deployment, "displacement_gradient")
    assert (found.status, found.code) == ("failed", "other_grid")


@pytest.mark.parametrize("method", ["coordinate_gradient", "start_jitter"])
def test_a_localization_is_mapped_with_its_boxes(method, job, tmp_path):
    small = small_models.medlsam(tmp_path)
    deployment = deployment_of("medlsam", "localization", small.weights)
    add_file(deployment, CASE, nifti(small.image), media_type="application/x-nifti", unit="HU")
    found = job(deployment, method, target=3)
    assert (found.status, found.reason) == ("done", "")
    assert found.facts["target"] == f"{found.facts['classes'][3]} edge"
    predicted = small_model(deployment).predict(small.image).boxes
    assert set(found.facts["boxes"]) == {"liver", "spleen"}
    for name, corners in predicted.items():
        assert np.allclose(found.facts["boxes"][name], corners, atol=1e-4)
    assert "edge in mm" in found.statements[0]["text"]
    if method == "coordinate_gradient":
        assert checks_of(found)["randomisation"]["value"] is not None
        assert checks_of(found)["deletion"]["unit"] == "mm"
    else:
        assert found.report_card == []  # it says how stable the search is, not where the model looks
        card = next(record for record in method_cards(deployment) if record.quantity == "report_card")
        assert "no check" in card.content["reason"]


@pytest.fixture
def prompted(tmp_path):
    small = small_models.roentgen(tmp_path)
    deployment = deployment_of("roentgen", "generation", small.weights)
    add_file(deployment, CASE, png(np.full((16, 16), 90, np.uint8)), prompt={"text": "left big effusion"})
    return deployment


def test_a_words_map_is_graded_by_leaving_the_word_out(prompted, job):
    found = job(prompted, "token_maps", word="Effusion", steps=2, seed=3)
    assert (found.status, found.reason) == ("done", "")
    assert found.facts["target"] == "word 'effusion'"
    model = small_model(prompted)
    drawn = model.generate("left big effusion", seed=3, steps=2, guidance=4.0).image
    without = model.generate("left big", seed=3, steps=2, guidance=4.0).image
    content = read_artefact(found.map_file)
    assert unpack_layer(content, "drawn") == pytest.approx(drawn, abs=1e-4)
    # the sentence's first seed by hand: the change in the strongest tenth of the map
    values = unpack_map(content)[0]
    assert values.shape == drawn.shape
    fact = found.statements[0]
    assert "Leaving out “effusion” under the same noise" in fact["text"]
    assert "(n = 4 seeds" in fact["text"]
    assert fact["low"] <= fact["after"] <= fact["high"]
    checks = checks_of(found)
    assert checks["randomisation"]["value"] is not None
    region = np.zeros(drawn.size, bool)
    region[np.argsort(-np.abs(drawn - without).ravel(), kind="stable")[: round(0.1 * drawn.size)]] = True
    mass = values.ravel()[region].sum() / values.sum()
    assert checks["relevance_mass"]["value"] == pytest.approx(float(mass), abs=5e-3)
    assert "most without “effusion”" in checks["relevance_mass"]["details"]["mask"]


def test_token_ablation_is_stored_with_both_pictures(prompted, job):
    found = job(prompted, "token_ablation", word="big", steps=2)
    assert (found.status, found.reason) == ("done", "")
    content = read_artefact(found.map_file)
    change = np.abs(unpack_layer(content, "drawn") - unpack_layer(content, "without"))
    assert unpack_map(content)[0] == pytest.approx(change, abs=2e-3)
    assert [row["word"] for row in found.facts["extras"]["words"]] == ["left", "big", "effusion"]
    assert found.statements[0]["n_fills"] == 4


@pytest.mark.parametrize(
    ("method", "parameters", "code"),
    [
        ("token_maps", {"word": "kidney"}, "no_target"),
        ("token_maps", {"target": 99}, "no_target"),
        ("token_ablation", {"target": 3}, "no_target"),
        ("token_maps", {"steps": 0}, "bad_steps"),
        ("mask_conditioning", {}, "other_task"),
    ],
)
def test_a_drawing_that_cannot_be_meant_is_a_stored_outcome(method, parameters, code, prompted, job):
    found = job(prompted, method, **parameters)
    assert (found.status, found.code) == ("failed", code)


def test_a_case_without_its_text_is_a_stored_outcome(prompted, job):
    CaseFile.objects.update(facts={})
    found = job(prompted, "token_maps", steps=2)
    assert (found.status, found.code) == ("failed", "prompt_missing")


def test_a_tumour_drawn_into_an_organ_is_graded_by_moving_the_organ(job, tmp_path, monkeypatch):
    small = small_models.difftumor(tmp_path)
    monkeypatch.setenv("VIGIL_DIFFTUMOR_HOME", str(small_models.difftumor_checkout(tmp_path)))
    deployment = deployment_of("difftumor", "generation", small.weights)
    organ = kept(deployment, nifti(small_models.Volume(small.prompt.mask, (1.0, 1.0, 1.0), "LPS")))
    add_file(
        deployment, CASE, nifti(small.image), media_type="application/x-nifti", unit="HU", organ=organ,
        prompt={"label": "liver early"},
    )  # fmt: skip
    found = job(deployment, "mask_conditioning", change="eroded")
    assert (found.status, found.reason) == ("done", "")
    content = read_artefact(found.map_file)
    assert unpack_layer(content, "organ").sum() == small.prompt.mask.sum()
    assert "Eroding the organ mask" in found.statements[0]["text"]
    assert found.facts["extras"]["share_in_masks"] > 0.99  # the stand-in draws inside the organ only
    checks = checks_of(found)
    assert checks["relevance_mass"]["value"] == pytest.approx(found.facts["extras"]["share_in_masks"], abs=1e-3)
    assert "out of reach" in checks["randomisation"]["reason"]
    CaseFile.objects.update(facts={"unit": "HU", "prompt": {"label": "liver early"}})
    missing = job(deployment, "mask_conditioning")
    assert (missing.status, missing.code) == ("failed", "prompt_missing")


@pytest.fixture
def segmented(tmp_path):
    """A segmentation whose mask is known: a network of one layer that finds grey values above 100."""
    import torch
    from safetensors.torch import save_file

    path = tmp_path / "threshold.safetensors"
    one = {"type": "Conv3d", "in": 1, "kernel": 1, "dilation": 1, "padding": 0}
    layers = [{**one, "out": 1}, {"type": "ELU"}, {**one, "out": 2}]
    weight = torch.tensor([0.0, 1.0]).reshape(2, 1, 1, 1, 1)
    save_file({"0.weight": torch.ones(1, 1, 1, 1, 1), "0.bias": torch.zeros(1), "2.weight": weight,
               "2.bias": torch.tensor([0.0, -0.5])}, path)  # fmt: skip
    path.with_suffix(".json").write_text(json.dumps({"layers": layers, "comment": "min-max"}))
    volume = np.zeros((16, 16, 16), np.float32)
    volume[2:6, 2:6, 2:6], volume[7:15, 7:15, 7:15] = 200, 200
    deployment = deployment_of("meshnet", "segmentation", path)
    ras = small_models.Volume(volume, (1.0, 1.0, 1.0), "RAS")
    add_file(deployment, CASE, nifti(ras), media_type="application/x-nifti")
    return deployment, volume > 100


def test_parts_of_a_segmentation_are_asked_about(segmented, job):
    deployment, inside = segmented
    truth = inside.copy()
    truth[7:15, 7:15, 15] = True  # the reader sees more of the large one
    add_file(deployment, CASE, npy(truth.astype(np.uint8)), role="truth", media_type="application/x-npy")
    expected = {"mask": inside, "component": np.zeros_like(inside), "missed": truth & ~inside}
    expected["component"][7:15, 7:15, 7:15] = True
    expected["component 2"] = inside & ~expected["component"]
    for part, cells in expected.items():
        found = job(deployment, "tiled_saliency", part=part, tile=16, margin=0)
        assert (found.status, found.reason, part) == ("done", "", part)
        values, mask, facts = unpack_map(read_artefact(found.map_file))
        # the network looks at one voxel each, so the map is the part itself
        assert ((values > 0) == cells).all()
        assert (mask == inside).all()
    assert facts["target"].endswith("over component 2 of the predicted mask")
    found = job(deployment, "saliency", part="boundary")
    edge = unpack_map(read_artefact(found.map_file))[0] > 0
    assert edge[7:15, 7:15, [6, 7, 14, 15]].all()
    assert not edge[8:14, 8:14, 8:14].any()
    assert "the boundary of the predicted mask" in found.facts["prediction"]["quantity"]


@pytest.mark.parametrize(
    ("part", "truth", "code"),
    [("missed", False, "no_truth"), ("missed", True, "nothing_missed"), ("component 5", False, "bad_part"),
     ("middle", False, "bad_part")],
)  # fmt: skip
def test_a_part_that_is_not_there_is_a_stored_outcome(part, truth, code, segmented, job):
    deployment, inside = segmented
    if truth:
        add_file(deployment, CASE, npy(inside.astype(np.uint8)), role="truth", media_type="application/x-npy")
    found = job(deployment, "saliency", part=part)
    assert (found.status, found.code) == ("failed", code)


def test_mixed_precision_is_off_unless_asked_for_and_stored_with_the_map(segmented, job):
    deployment, _ = segmented
    plain, mixed = (job(deployment, "saliency", **options) for options in ({}, {"precision": "bfloat16"}))
    assert (plain.facts["precision"], mixed.facts["precision"]) == ("float32", "bfloat16")
    one, two = (unpack_map(read_artefact(found.map_file))[0] for found in (plain, mixed))
    assert two == pytest.approx(one, rel=0.02, abs=1e-6)
    refused = job(deployment, "saliency", precision="float16")
    assert (refused.status, refused.code) == ("failed", "bad_precision")  # this machine has no GPU


def test_a_job_of_tiles_can_be_cancelled_and_goes_on_where_it_ended(segmented, monkeypatch):
    from assurance import jobs
    from explainability.services.kept_parts import KeptParts
    from explainability.tasks import explain_one

    deployment, _ = segmented
    asked = ask_explanation(deployment, case=CASE, method="tiled_saliency", parameters={"tile": 8, "margin": 0},
                            by=SYSTEM, start=False)  # fmt: skip
    made = []
    keep = KeptParts.__setitem__

    def noted(parts, name, values):
        made.append(name)
        keep(parts, name, values)

    monkeypatch.setattr(KeptParts, "__setitem__", noted)
    original = jobs.report_progress

    def attempt(stop_at):
        job = Job.objects.create(
            task="explainability.explain_one", queue="inference", title="Map", lock=len(made) + 1000,
            arguments={"explanation_id": str(asked.pk)}, organisation=deployment.organisation,
        )  # fmt: skip

        def report(running, **options):
            if options["step"] == stop_at:
                jobs.cancel(job)
            original(running, **options)

        with monkeypatch.context() as patch:
            patch.setattr("explainability.tasks.report_progress", report)
            explain_one(str(job.pk))
        job.refresh_from_db()
        asked.refresh_from_db()
        return job.status, asked.status

    assert attempt("tile 2 of 8") == ("cancelled", "queued")
    assert len(made) == 2
    assert attempt(None) == ("done", "done")
    assert len(made) == len(set(made)) == 8  # the two of the first attempt were not made again


def test_a_volume_without_its_spacing_is_a_stored_outcome(segmented, job):
    deployment, inside = segmented
    CaseFile.objects.all().delete()
    add_file(deployment, CASE, npy(inside.astype(np.float32)), media_type="application/x-npy")
    found = job(deployment, "saliency")
    assert (found.status, found.code) == ("failed", "spacing_missing")
    assert "mm" in found.reason


def test_a_map_that_is_zero_everywhere_is_a_stored_outcome(segmented, job, tmp_path):
    import torch
    from safetensors.torch import save_file

    deployment, _ = segmented
    path = tmp_path / "constant.safetensors"
    zero = torch.zeros(2, 1, 1, 1, 1)
    save_file({"0.weight": torch.ones(1, 1, 1, 1, 1), "0.bias": torch.zeros(1), "2.weight": zero,
               "2.bias": torch.tensor([0.0, 1.0])}, path)  # fmt: skip
    path.with_suffix(".json").write_text((tmp_path / "threshold.json").read_text())
    deployment.version = ModelVersionFactory(
        model=deployment.version.model, adapter_key="meshnet", weights_sha256=keep_weights(path)
    )
    deployment.save()
    found = job(deployment, "saliency")
    assert (found.status, found.code) == ("failed", "zero_map")
    assert found.map_file is None


@pytest.mark.parametrize(("box", "code"), [([5, 8, 300, 40], "prompt_outside"), ([30, 8, 5, 40], "prompt_outside"),
                                           (None, "prompt_missing"), ([1, 2, 3], "bad_prompt")])  # fmt: skip
def test_a_prompt_outside_the_image_is_a_stored_outcome(box, code, job, tmp_path):
    small = small_models.medsam(tmp_path)
    deployment = deployment_of("medsam", "segmentation", small.weights)
    facts = {"prompt": box} if box else {}
    add_file(deployment, CASE, png(np.clip(small.image, 0, 255).astype(np.uint8)), **facts)
    found = job(deployment, "saliency")
    assert (found.status, found.code) == ("failed", code)


def test_running_out_of_memory_in_torch_is_a_stored_outcome(segmented, job, monkeypatch):
    import torch

    from assurance.adapters.meshnet import MeshNet

    def hungry(self, inputs, prompt=None):
        return torch.empty(2**52)  # torch's own refusal, as a volume that is too large gets it

    monkeypatch.setattr(MeshNet, "forward", hungry)
    found = job(segmented[0], "saliency")
    assert (found.status, found.code) == ("failed", "out_of_memory")
