"""What every check of a map promises."""

import inspect

import numpy as np
import pytest
from django.conf import settings

from assurance.evidence.errors import NotComputable
from assurance.evidence.finding import Finding, State
from explainability.attribution.integrated_gradients import integrated_gradients
from explainability.attribution.question import Question
from explainability.faithfulness.catalogue import CHECKS
from explainability.faithfulness.graded import Graded
from explainability.faithfulness.report_card import RULES
from tests.toy_models import Toy, small_cnn


@pytest.fixture(params=list(CHECKS))
def key(request):
    return request.param


@pytest.fixture(scope="module")
def graded():
    image = np.random.default_rng(1).uniform(0, 1, (32, 32)).astype(np.float32)
    region = np.zeros((32, 32), bool)
    region[8:20, 8:20] = True

    def again(question):
        return integrated_gradients(question.model, question.image, question=question, steps=8)

    question = Question(Toy(small_cnn()), image, target=1)
    other = integrated_gradients(Toy(small_cnn(seed=5)), image, target=1, steps=8)
    return Graded(question, again(question), again, region=region, region_name="a mask", spacing_mm=(1.0, 1.0),
                  other=other, other_name="another seed")  # fmt: skip


def test_it_answers_with_a_finding_of_one_case_that_repeats(key, graded):
    before = graded.attribution.grid_values.copy()
    one, two = CHECKS.load(key)(graded, seed=3), CHECKS.load(key)(graded, seed=3)
    assert isinstance(one, Finding)
    assert one.digest() == two.digest()
    assert one.quantity == one.method.key == key
    assert one.method.parameters["of"] == "integrated_gradients"
    assert one.n_cases == 1
    assert np.isfinite(one.value)
    assert (graded.attribution.grid_values == before).all()


def test_only_judged_checks_have_a_verdict(key, graded):
    state = CHECKS.load(key)(graded).state
    assert (state is State.INSUFFICIENT) != CHECKS[key].facts["judged"]
    assert CHECKS[key].facts["judged"] == (key in RULES)


def test_it_takes_its_levels_by_name_only(key):
    parameters = inspect.signature(CHECKS.load(key)).parameters
    assert next(iter(parameters)) == "graded"
    assert all(p.kind is p.KEYWORD_ONLY for name, p in parameters.items() if name != "graded")
    assert "seed" in parameters


def test_its_page_answers_the_questions_of_a_reader(key):
    page = (settings.BASE_DIR / "docs" / "methods" / f"{key}.md").read_text(encoding="utf-8")
    for part in ("Question", "Formula", "Unit", "How to read", "Limits", "Defaults", "Source"):
        assert f"**{part}.**" in page
    assert CHECKS[key].source
    assert "References\n" in CHECKS.load(key).__doc__


def test_the_model_is_left_as_it_was(key, graded):
    network = graded.question.model.network
    before = {name: value.clone() for name, value in network.state_dict().items()}
    try:
        CHECKS.load(key)(graded)
    except NotComputable:
        pytest.skip("has no value here")
    assert not network.training
    assert all((value == before[name]).all() for name, value in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())
