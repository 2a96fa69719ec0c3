"""The image viewer in a browser: what is drawn, and that wheel, keys and controls change it."""

import gzip
import io
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from accounts.models import Role
from assurance.evidence.finding import Method
from assurance.models import CaseFile
from assurance.services.artefacts import store_artefact
from assurance.services.weights import keep_weights
from explainability.attribution.attribution import Attribution
from explainability.models import Explanation
from explainability.services.explanations import ask_explanation, compute_explanation
from explainability.services.map_files import MEDIA_TYPE, pack_map
from records.actor import SYSTEM
from tests.factories import DeploymentFactory, MembershipFactory, ModelVersionFactory

pytestmark = pytest.mark.django_db(transaction=True)
CASE = "c" * 32


@pytest.fixture(autouse=True)
def files(settings, tmp_path):
    settings.STORAGES = {
        **settings.STORAGES,
        "default": {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": str(tmp_path)}},
    }
    settings.WEIGHTS_DIR = tmp_path / "weights"


def keep(deployment, content, role="image", media_type="image/png", **facts):
    artefact = store_artefact(content, organisation_id=deployment.organisation_id, media_type=media_type)
    CaseFile.objects.create(organisation=deployment.organisation, deployment=deployment, case=CASE, role=role,
                            artefact=artefact, facts=facts)  # fmt: skip


def png(values):
    buffer = io.BytesIO()
    Image.fromarray(values).save(buffer, "PNG")
    return buffer.getvalue()


def pixels(walker, pane=0):
    """The mean colour of what a pane's canvas shows; it cannot be read where drawing failed."""
    script = (
        "const c=document.querySelectorAll('.viewer-pane canvas:not(.legend)')[arguments[0]];"
        "const d=c.getContext('2d').getImageData(0,0,c.width,c.height).data;let r=0,g=0,b=0;"
        "for(let i=0;i<d.length;i+=4){r+=d[i];g+=d[i+1];b+=d[i+2];}"
        "const n=d.length/4;return [r/n,g/n,b/n];"
    )
    return walker.driver.execute_script(script, pane)


def drawn(walker):
    walker.wait(lambda: walker.find(".viewer-pane figcaption").text != "", "the viewer drew nothing")
    return pixels(walker)


def changed(walker, before, words, pane=0):
    walker.wait(lambda: pixels(walker, pane) != pytest.approx(before, abs=0.05), words)
    return pixels(walker, pane)


def test_a_radiograph_with_two_maps_side_by_side(walker, shared_data, settings):
    weights = settings.BASE_DIR / "assurance" / "data" / "models" / "pneumonia_densenet_monai.safetensors"
    deployment = DeploymentFactory(
        version=ModelVersionFactory(weights_sha256=keep_weights(weights)), name="Chest films"
    )
    folder = Path(shared_data) / "cxr"
    keep(deployment, (folder / "hannover" / "0a7faa2a.png").read_bytes(), spacing_mm=1.0, site="Hannover")
    keep(deployment, (folder / "lung_masks" / "0a7faa2a.png").read_bytes(), role="truth")
    for method in ("saliency", "integrated_gradients"):
        parameters = {"steps": 12} if method == "integrated_gradients" else {}
        asked = ask_explanation(deployment, case=CASE, method=method, parameters=parameters, by=SYSTEM, start=False)
        assert compute_explanation(asked).status == "done"
    walker.enter(MembershipFactory(organisation=deployment.organisation, role=Role.HOSPITAL_QA).person)
    walker.open(f"/deployments/{deployment.slug}/cases/{CASE}")
    first = drawn(walker)
    assert "not whether the output is right" in walker.text
    walker.driver.save_screenshot(str(walker.screens / "viewer-classification.png"))
    Select(walker.find("select[data-pane='0']")).select_by_value("-1")
    alone = changed(walker, first, "taking the map away changed nothing")
    assert max(alone) - min(alone) < 6  # grey, but for the outline of the reader's mask
    walker.find("input[name=side]").click()
    Select(walker.find("select[data-pane='0']")).select_by_value("0")
    walker.wait(lambda: len([f for f in walker.find_all(".viewer-pane") if f.is_displayed()]) == 2, "one pane only")
    changed(walker, alone, "the first pane stayed without its map")
    both = pixels(walker, 1)
    opacity = walker.find("input[name=opacity]")
    opacity.send_keys(Keys.HOME)
    changed(walker, both, "opacity 0 changed nothing", 1)
    opacity.send_keys(Keys.END)
    canvas = walker.find(".viewer-pane canvas")
    before = pixels(walker)
    ActionChains(walker.driver).click_and_hold(canvas).move_by_offset(0, -60).release().perform()
    changed(walker, before, "dragging did not change the brightness")
    canvas.send_keys("w")
    before = pixels(walker)
    canvas.send_keys("+")
    changed(walker, before, "the key + did not zoom")
    canvas.send_keys("0")
    walker.driver.set_window_size(1500, 1300)
    walker.driver.execute_script("window.scrollTo(0, 0)")
    walker.wait(lambda: pixels(walker)[0] > 1, "nothing is drawn after the window changed")
    walker.driver.save_screenshot(str(walker.screens / "viewer-side-by-side.png"))
    walker.driver.execute_script("document.querySelector('article').scrollIntoView()")
    walker.driver.save_screenshot(str(walker.screens / "viewer-card.png"))
    walker.open(f"/deployments/{deployment.slug}/cases")
    walker.driver.save_screenshot(str(walker.screens / "viewer-cases.png"))


def test_a_volume_in_three_planes(walker):
    deployment = DeploymentFactory(name="Brain tissue")
    down = np.indices((40, 48, 32)).astype(np.float32)
    head = ((down - np.array([20, 24, 16]).reshape(3, 1, 1, 1)) / np.array([18, 22, 14]).reshape(3, 1, 1, 1)) ** 2
    volume = (200 * (head.sum(0) < 1) + 20 * np.sin(down[2] / 2)).astype(np.float32)
    nifti = nibabel.Nifti1Image(volume, np.diag([2.0, 2.0, 3.0, 1.0]))
    landmarks = [{"name": "A", "place": [24, 20, 20], "arrow": [0, 4, 6]}]
    keep(deployment, gzip.compress(nifti.to_bytes()), media_type="application/x-nifti", landmarks=landmarks)
    values = np.zeros(volume.shape, np.float32)
    values[8:16, 10:20, 22:27] = 1.0
    method = Method("tiled_saliency", "tests", "1")
    attribution = Attribution(values, values, method, "mean logit of white matter", "logit", False, 2.0)
    prediction = {"quantity": "the mean probability over the predicted mask"}
    facts = {"signed": False, "unit": "logit per grey unit", "prediction": prediction}
    packed = pack_map(attribution, mask=volume > 100, facts=facts)
    where = {"organisation_id": deployment.organisation_id}
    Explanation.objects.create(
        organisation=deployment.organisation, deployment=deployment, version=deployment.version, case=CASE,
        method="tiled_saliency", parameters_sha256="1" * 64, status="done", facts=facts,
        map_file=store_artefact(packed, media_type=MEDIA_TYPE, **where),
        overlay=store_artefact(png(np.zeros((8, 8), np.uint8)), media_type="image/png", **where),
    )  # fmt: skip
    walker.enter(MembershipFactory(organisation=deployment.organisation, role=Role.HOSPITAL_READER).person)
    walker.open(f"/deployments/{deployment.slug}/cases/{CASE}")
    first = drawn(walker)
    output = walker.find(".slice-row output").text
    assert 22 < int(output.split()[0]) <= 27  # opens where the map is
    walker.driver.save_screenshot(str(walker.screens / "viewer-axial.png"))
    canvas = walker.find(".viewer-pane canvas")
    for _ in range(6):
        canvas.send_keys(Keys.ARROW_UP)
    assert walker.find(".slice-row output").text != output
    changed(walker, first, "another slice looks the same")
    for plane in ("coronal", "sagittal"):
        before = pixels(walker)
        Select(walker.driver.find_element(By.NAME, "plane")).select_by_value(plane)
        changed(walker, before, f"the {plane} plane looks like the one before")
        walker.driver.save_screenshot(str(walker.screens / f"viewer-{plane}.png"))
    before = walker.find(".slice-row output").text
    walker.driver.execute_script(
        "document.querySelector('.viewer-pane canvas')"
        ".dispatchEvent(new WheelEvent('wheel', {deltaY: 100, cancelable: true}))"
    )
    walker.wait(lambda: walker.find(".slice-row output").text != before, "the wheel did not turn the slices")
