"""``vigil explain`` on real chest radiographs, and what it says to wrong words."""

import json
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from PIL import Image

from explainability.services.map_files import unpack_map


def explain(**options):
    out = StringIO()
    call_command("explain", json=True, stdout=out, stderr=StringIO(), **options)
    return json.loads(out.getvalue())


def test_a_real_film_gets_a_graded_map(shared_data, tmp_path):
    folder = Path(shared_data) / "cxr"
    document = explain(
        model="monai-densenet", image=str(folder / "hannover" / "0a7faa2a.png"), method="integrated_gradients",
        mask=str(folder / "lung_masks" / "0a7faa2a.png"), out=str(tmp_path),
    )  # fmt: skip
    assert document["completeness_error"] < 0.05
    card = {content["quantity"]: content for content in document["report_card"]}
    assert card["completeness"]["state"] == "ok"
    assert card["relevance_mass"]["details"]["mask"] == "the reader's mask"
    assert card["leakage"]["reason"].startswith("the pixel size in mm")  # a PNG tells none
    assert "n = 32 fills" in document["statements"][0]["text"]
    assert document["caution"].endswith("not whether the output is right.")
    values, _, facts = unpack_map(Path(document["files"]["map"]).read_bytes())
    assert values.shape == np.asarray(Image.open(folder / "hannover" / "0a7faa2a.png")).shape[:2]
    assert facts["weights_sha256"] == document["weights_sha256"]
    assert Image.open(document["files"]["overlay"]).size[0] >= 512
    assert json.loads(Path(document["files"]["card"]).read_text())["method"] == "integrated_gradients"


@pytest.fixture
def film(tmp_path):
    path = tmp_path / "film.png"
    Image.fromarray((np.indices((40, 40)).sum(0) * 3).astype(np.uint8)).save(path)
    return str(path)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"method": "tea_leaves"}, "choose one of integrated_gradients"),
        ({"image": "nowhere.png"}, "is not a file"),
        ({"model": "monai-densenet-9000"}, "choose one of"),
        ({"model": ""}, "--model is missing"),
        ({"method": "seg_grad_cam"}, "not made for classification"),
        ({"target": 9}, "give 0 to 1"),
        ({"param": ["steps=many"]}, "takes no steps"),
        ({"param": ["steps"]}, "give NAME=VALUE"),
        ({"box": "1,2,3"}, "four numbers"),
    ],
)
def test_wrong_words_end_with_status_2_and_one_sentence(film, tmp_path, wrong, words):
    options = {"model": "monai-densenet", "image": film, "method": "saliency", "out": str(tmp_path / "out"), **wrong}
    with pytest.raises(CommandError, match=words) as error:
        explain(**options)
    assert error.value.returncode == 2
    assert "\n" not in str(error.value)


def test_the_list_names_every_method():
    out = StringIO()
    call_command("explain", list=True, json=True, stdout=out)
    rows = json.loads(out.getvalue())
    assert rows["integrated_gradients"]["tasks"] == ["classification", "segmentation"]
    assert all(row["source"] for row in rows.values())
