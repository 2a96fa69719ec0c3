"""What every attribution method promises."""

import inspect

import numpy as np
import pytest
from django.conf import settings

from assurance.evidence.catalogue import Entry
from assurance.evidence.errors import InvalidInput
from explainability.attribution.catalogue import COMMON, EXPLAINERS, checked_parameters
from explainability.attribution.question import Question
from tests.toy_models import Toy, small_cnn

TASKS = {"classification", "segmentation", "registration", "localization", "generation"}


@pytest.fixture(params=list(EXPLAINERS))
def key(request):
    return request.param


def test_its_entry_says_what_a_form_and_a_plan_need(key):
    entry = EXPLAINERS[key]
    assert isinstance(entry, Entry)
    assert entry.source
    assert set(entry.facts["tasks"]) <= TASKS
    assert isinstance(entry.facts["signed"], bool)
    assert isinstance(entry.facts["gradient"], bool)
    assert entry.facts["cost"]
    if "sibling" in entry.facts:
        assert EXPLAINERS[entry.facts["sibling"]].facts["sibling"] == key


def test_its_parameters_are_those_of_its_function_with_their_defaults(key):
    signature = inspect.signature(EXPLAINERS.load(key)).parameters
    assert list(signature)[:2] == ["model", "image"]
    assert all(p.kind is p.KEYWORD_ONLY for name, p in signature.items() if name not in ("model", "image"))
    assert {"target", "prompt", "seed", "question"} <= set(signature)
    declared = EXPLAINERS[key].facts.get("parameters", {})
    own = set(signature) - {"model", "image", "target", "prompt", "seed", "question", "references", "kept", "progress"}
    assert set(declared) == own
    assert all(signature[name].default == value for name, value in declared.items())
    assert checked_parameters(key, {**COMMON, **declared}) == {**COMMON, **declared}


def test_an_unknown_parameter_is_refused_with_those_that_exist(key):
    with pytest.raises(InvalidInput, match="seed"):
        checked_parameters(key, {"brightness": 1})


def test_its_page_answers_the_questions_of_a_reader(key):
    page = (settings.BASE_DIR / "docs" / "methods" / f"{key}.md").read_text(encoding="utf-8")
    for part in ("Question", "Formula", "Unit", "How to read", "Limits", "Defaults", "Source"):
        assert f"**{part}.**" in page


def test_it_names_its_paper_in_its_docstring(key):
    assert "References\n" in EXPLAINERS.load(key).__doc__


CLASSIFIERS = [
    key for key in EXPLAINERS if "classification" in EXPLAINERS[key].facts["tasks"] and key != "attention_rollout"
]


@pytest.mark.parametrize("key", CLASSIFIERS)
def test_it_returns_the_images_shape_and_changes_nothing_it_was_given(key):
    image = np.random.default_rng(1).uniform(0, 1, (32, 32)).astype(np.float32)
    before = image.copy()
    options = {"references": [image[::-1].copy()] * 16} if "references" in EXPLAINERS[key].facts else {}
    if "regions" in EXPLAINERS[key].facts.get("parameters", {}):
        options["regions"] = 9
    made = EXPLAINERS.load(key)(Toy(small_cnn()), image, target=1, seed=4, **options)
    again = EXPLAINERS.load(key)(Toy(small_cnn()), image, target=1, seed=4, **options)
    assert made.values.shape == made.grid_values.shape == (32, 32)
    assert made.values.dtype == np.float32
    assert made.signed == EXPLAINERS[key].facts["signed"]
    assert made.signed or made.values.min() >= 0
    assert made.method.key == key
    assert made.method.seed == 4
    assert (made.values == again.values).all()
    assert (image == before).all()
    assert made.f_x == pytest.approx(Question(Toy(small_cnn()), image, target=1).f_x)


@pytest.mark.parametrize("key", CLASSIFIERS)
def test_other_weights_give_another_map(key):
    image = np.random.default_rng(1).uniform(0, 1, (32, 32)).astype(np.float32)
    options = {"references": [image[::-1].copy()] * 16} if "references" in EXPLAINERS[key].facts else {}
    if "regions" in EXPLAINERS[key].facts.get("parameters", {}):
        options["regions"] = 9
    one, two = (EXPLAINERS.load(key)(Toy(small_cnn(seed=seed)), image, target=1, **options) for seed in (0, 3))
    assert not np.allclose(one.values, two.values)
