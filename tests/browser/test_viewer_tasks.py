"""The viewer of registration, localization, generation and 3-D segmentation: what each draws over its images."""

import json
from pathlib import Path

import nibabel
import numpy as np
import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import Select

from accounts.models import Role
from assurance.adapters.images import Volume
from explainability.models import Explanation
from explainability.services import mapping
from explainability.services.explanations import ask_explanation, compute_explanation
from records.actor import SYSTEM
from tests import small_models
from tests.browser.test_viewer import CASE, changed, drawn, files, keep, pixels, png  # noqa: F401 (files is a fixture)
from tests.factories import MembershipFactory
from tests.integration.test_explanations_of_families import deployment_of, kept, nifti

pytestmark = pytest.mark.django_db(transaction=True)
AXES = ("axial", "coronal", "sagittal")


@pytest.fixture(autouse=True)
def without_checks(monkeypatch):
    """The picture matters here: the checks have their own tests."""
    monkeypatch.setattr(mapping, "checks_of", lambda effort: ("completeness",))
    monkeypatch.setattr(mapping, "FEW_FILLS", 4)


def small(path, step, *, unit=""):
    image = nibabel.load(path)
    values = np.asarray(image.dataobj, dtype=np.float32)[::step, ::step, ::step]
    return Volume(values, (1.0, 1.0, 1.0), "".join(nibabel.aff2axcodes(image.affine)), unit)


def mapped(deployment, method, **parameters):
    asked = ask_explanation(deployment, case=CASE, method=method, parameters=parameters, by=SYSTEM, start=False)
    found = compute_explanation(asked)
    assert (found.status, found.reason) == ("done", "")
    return found


def opened(walker, deployment):
    walker.enter(MembershipFactory(organisation=deployment.organisation, role=Role.HOSPITAL_QA).person)
    walker.driver.set_window_size(1500, 1200)
    walker.open(f"/deployments/{deployment.slug}/cases/{CASE}")
    return drawn(walker)


def choose(walker, name, value, words):
    before = pixels(walker)
    Select(walker.driver.find_element(By.NAME, name)).select_by_value(value)
    return changed(walker, before, words)


def shot(walker, name):
    walker.driver.execute_script("window.scrollTo(0, 0)")
    walker.driver.save_screenshot(str(walker.screens / f"viewer-{name}.png"))


def test_a_registration_with_its_displacement(walker, shared_data, tmp_path, settings):
    brain = Path(shared_data) / "brain"
    moving, fixed = (small(brain / f"{name}_160x192x224.nii.gz", 2) for name in ("subject_t1", "atlas_t1"))
    weights = Path(shared_data) / "weights" / "voxelmorph_cvpr2018_vm2_cc.safetensors"
    deployment = deployment_of("voxelmorph", "registration", weights, name="VoxelMorph-2")
    keep(deployment, nifti(moving), media_type="application/x-nifti", fixed=kept(deployment, nifti(fixed)))
    found = mapped(deployment, "displacement_gradient", landmark="50,48,60", crop=64)
    opened(walker, deployment)
    assert "largest displacement" in walker.text
    assert "displacement at voxel 50, 48, 60" in walker.find(".viewer-pane figcaption").text
    shot(walker, "registration-arrows")
    arrows = choose(walker, "field", "grid", "the grid looks like the arrows")
    shot(walker, "registration-grid")
    choose(walker, "field", "off", "the displacement is still there")
    for base in ("moving", "warped", "checker"):
        choose(walker, "base", base, f"the image is the same for {base}")
    shot(walker, "registration-checker")
    choose(walker, "field", "arrows", "no arrows")
    assert arrows
    Select(walker.driver.find_element(By.NAME, "plane")).select_by_value("all")
    walker.wait(lambda: len([f for f in walker.find_all(".viewer-pane") if f.is_displayed()]) == 3, "no three planes")
    walker.wait(lambda: "sagittal" in walker.find_all(".viewer-pane figcaption")[2].text, "no sagittal plane")
    shot(walker, "registration-planes")
    # a click moves all planes, a double click is the next landmark, in voxels of the file
    canvas = walker.find(".viewer-pane canvas")
    before = pixels(walker, 2)
    ActionChains(walker.driver).move_to_element_with_offset(canvas, 20, 20).click().perform()
    changed(walker, before, "the other planes did not follow", 2)
    ActionChains(walker.driver).move_to_element_with_offset(canvas, 0, 0).double_click().perform()
    place = [int(part) for part in walker.find("input[name=param_landmark]").get_attribute("value").split(",")]
    assert all(abs(at - side / 2) <= 12 for at, side in zip(place, fixed.array.shape, strict=True))
    Select(walker.find("select[name=method]")).select_by_value("similarity_gradient")
    assert not walker.find("select[name=param_component]").is_displayed()
    assert walker.find("input[name=param_landmark]").is_displayed()
    assert found.facts["landmark"] == [50, 48, 60]


def test_a_localization_with_its_boxes(walker, shared_data, tmp_path):
    model = small_models.medlsam(tmp_path)
    deployment = deployment_of("medlsam", "localization", model.weights, name="Localizer")
    head = small(Path(shared_data) / "brain" / "t1_crop_256.nii.gz", 5, unit="HU")
    volume = Volume(head.array / head.array.max() * 1500 - 800, (4.0, 4.0, 4.0), head.axes, "HU")
    keep(deployment, nifti(volume), media_type="application/x-nifti", unit="HU")
    found = mapped(deployment, "coordinate_gradient", target=1)
    low, high = (np.array(corner) for corner in found.facts["boxes"]["liver"])
    mapped(deployment, "start_jitter", target=1, starts=2)
    # the weights are random: give the boxes a place that can be seen
    spread = {"liver": [[12, 14, 12], [34, 36, 30]], "spleen": [[30, 10, 14], [44, 24, 34]]}
    for row in Explanation.objects.all():
        row.facts["boxes"] = spread
        row.save()
    opened(walker, deployment)
    walker.find("input[name=slice]")
    walker.driver.execute_script(
        "const s=document.querySelector('input[name=slice]');s.value=22;s.dispatchEvent(new Event('input'))"
    )
    walker.wait(lambda: "axial 23" in walker.find(".viewer-pane figcaption").text, "the slice did not change")
    shot(walker, "localization")
    with_boxes = pixels(walker)
    walker.find("input[name=boxes]").click()
    changed(walker, with_boxes, "the boxes were never drawn")
    walker.find("input[name=boxes]").click()
    for plane in AXES[1:]:
        choose(walker, "plane", plane, f"{plane} looks like the one before")
    shot(walker, "localization-sagittal")
    assert "edge in mm" in walker.text
    assert "No check of faithfulness applies" in walker.text  # of the start's jitter
    options = [option.text for option in Select(walker.find("select[name=param_target]")).options]
    assert len(options) == 1 + len(found.facts["classes"])
    assert low.shape == high.shape == (3,)


def test_a_generation_with_its_words(walker, tmp_path):
    model = small_models.roentgen(tmp_path)
    deployment = deployment_of("roentgen", "generation", model.weights, name="Small diffusion")
    keep(deployment, png(np.full((16, 16), 90, np.uint8)), prompt={"text": "left big effusion"})
    mapped(deployment, "token_maps", word="effusion", steps=2)
    mapped(deployment, "token_ablation", word="big", steps=2)
    opened(walker, deployment)
    assert "word 'big'" in walker.find(".viewer-pane figcaption").text
    assert "drawn image" in walker.find(".viewer-pane figcaption").text
    assert "Leaving out “effusion” under the same noise" in walker.text
    walker.find("input[name=side]").click()
    walker.wait(lambda: "word 'effusion'" in walker.find_all(".viewer-pane figcaption")[1].text, "no second map")
    shot(walker, "generation")
    choose(walker, "base", "without", "the image without the word is the same")
    assert [o.get_attribute("value") for o in Select(walker.find("select[name=param_word]")).options] == [
        "", "left", "big", "effusion",
    ]  # fmt: skip


def test_a_segmentation_of_a_volume_with_a_part_of_it(walker, shared_data, tmp_path):
    weights = Path(shared_data) / "weights" / "meshnet_model5_gw_ae.safetensors"
    deployment = deployment_of("meshnet", "segmentation", weights, name="MeshNet")
    whole = small(Path(shared_data) / "brain" / "t1_crop_256.nii.gz", 1)
    crop = Volume(whole.array[80:144, 90:154, 96:160], (1.0, 1.0, 1.0), whole.axes)
    keep(deployment, nifti(crop), media_type="application/x-nifti")
    for part in ("mask", "boundary"):
        mapped(deployment, "saliency", part=part, target=2)
    opened(walker, deployment)
    assert "grey" in walker.find(".viewer-pane figcaption").text
    walker.find("input[name=side]").click()
    walker.wait(lambda: "boundary" in walker.find_all(".viewer-pane figcaption")[1].text, "no second map")
    shot(walker, "segmentation-parts")
    layers = json.loads(walker.find(".viewer").get_attribute("data-layers"))
    assert all(each["mask"] for each in layers["maps"])
