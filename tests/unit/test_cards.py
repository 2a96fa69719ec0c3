# ruff: noqa: E501 -- tables of cases read best in one line each
"""Cards: what is accepted, how complete they are, what looks wrong, and every format out and in."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assurance import regulation
from assurance.cards.answers import checked_answers, difference, findings_in
from assurance.cards.completeness import completeness
from assurance.cards.exchange import CardFacts
from assurance.cards.formats import WRITERS, read_card, write_card
from assurance.cards.plausibility import problems_in
from assurance.cards.vigil_json import json_schema
from assurance.evidence.errors import InvalidInput

SCHEMA = regulation.card_schema()
DIGEST = "a" * 64
FACTS = CardFacts(
    model="CXR helper", version="1.0", developer="Developer", task="classification", modality="CR",
    licence="Apache-2.0", weights_sha256="b" * 64,
    findings={DIGEST: {"metric": "auroc", "value": 0.93, "ci_low": 0.9, "ci_high": 0.95, "n": 400, "unit": "1"}},
)  # fmt: skip
MEASURE = {"metric": "auroc", "value": 0.93, "ci_low": 0.9, "ci_high": 0.95, "n": 400, "dataset": "set B"}
words = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Zs")), min_size=1, max_size=40).map(str.strip)
lines = words.filter(lambda text: text and text[0].isalnum())


def value_for(field):
    kinds = {
        "string": lines, "text": lines, "url": st.just("https://vigil.example/a"), "date": st.dates().map(str),
        "hash": st.just(DIGEST), "boolean": st.booleans(), "list_of_string": st.lists(lines, min_size=1, max_size=3),
        "table": st.lists(st.dictionaries(st.sampled_from(["name", "part"]), lines, min_size=1), min_size=1, max_size=2),
        "measure": st.lists(st.fixed_dictionaries({
            "metric": st.sampled_from(["auroc", "dice"]), "value": st.floats(0, 1, width=32), "dataset": lines,
        }), min_size=1, max_size=2),
    }  # fmt: skip
    if field.type == "enum":
        return st.sampled_from(field.values)
    if field.type.startswith("list_of"):
        return kinds["list_of_string"]
    return kinds.get(field.type, st.dictionaries(st.sampled_from(["name", "email"]), lines, min_size=1))


@st.composite
def cards(draw):
    chosen = draw(st.lists(st.sampled_from(list(SCHEMA)), unique_by=lambda one: one.id, max_size=12))
    answers = {}
    for field in chosen:
        status = draw(st.sampled_from(["answered", "answered", "not_available", "not_applicable"]))
        if status == "answered":
            answers[field.id] = {"status": status, "value": draw(value_for(field))}
        else:
            answers[field.id] = {"status": status, "reason": draw(lines)}
    return checked_answers(answers, SCHEMA)


@settings(max_examples=60, deadline=None)
@given(cards())
def test_our_format_comes_back_byte_for_byte(answers):
    first = write_card("json", answers, SCHEMA, FACTS).content
    form, read = read_card(first, SCHEMA)
    assert form == "json" and read.answers == answers and read.left_over == ()
    assert write_card("json", read.answers, SCHEMA, FACTS).content == first


@settings(max_examples=30, deadline=None)
@given(cards())
def test_the_json_schema_accepts_every_card_that_we_write(answers):
    jsonschema = pytest.importorskip("jsonschema")
    body = json.loads(write_card("json", answers, SCHEMA, FACTS).content)
    jsonschema.Draft202012Validator(json_schema(SCHEMA)).validate(body)


def test_the_json_schema_refuses_what_the_editor_refuses():
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft202012Validator(json_schema(SCHEMA))
    frame = {"format": "vigil-model-card", "schema_version": SCHEMA.version}
    for answers in (
        {"identity.name": {"status": "perhaps"}}, {"no.field": {"status": "answered", "value": "x"}},
        {"identity.name": {"status": "not_available"}}, {"identity.model_hash": {"status": "answered", "value": "zz"}},
    ):  # fmt: skip
        assert not validator.is_valid(frame | {"answers": answers}), answers
        with pytest.raises(InvalidInput):
            checked_answers(answers, SCHEMA)


@settings(max_examples=40, deadline=None)
@given(cards(), st.sampled_from(["chai-v01", "chai-v02", "hugging-face", "fhir", "monai"]))
def test_nothing_is_lost_silently_in_a_foreign_format(answers, form):
    """What goes out and comes in is the same, or the field stands in the list of what was left out."""
    written = write_card(form, answers, SCHEMA, FACTS)
    _, read = read_card(written.content, SCHEMA)
    for key, answer in answers.items():
        if key in written.left_out:
            continue
        if key in read.answers and _same(read.answers[key], answer):
            continue
        assert any(key in line for line in read.left_over), (form, key, answer, read.answers.get(key), read.left_over)


def _same(found, given_answer):
    if found["status"] != given_answer["status"]:
        return False
    if found["status"] != "answered":
        return found["reason"].strip() == given_answer["reason"].strip()
    one, other = found["value"], given_answer["value"]
    if isinstance(other, list) and other and isinstance(other[0], dict) and "metric" in other[0]:
        return [(r["metric"], r["value"]) for r in one] == [(r["metric"], r["value"]) for r in other]
    return one == other


def test_a_cited_finding_survives_the_formats_that_hold_text():
    answers = checked_answers(
        {"performance.internal": {"status": "answered", "value": [{"metric": "auroc", "finding": DIGEST,
                                                                  "dataset": "set B"}]}}, SCHEMA
    )  # fmt: skip
    assert findings_in(answers) == {DIGEST: ["performance.internal"]}
    for form in ("json", "chai-v01", "chai-v02", "hugging-face", "fhir"):
        content = write_card(form, answers, SCHEMA, FACTS).content
        if form not in ("json", "fhir"):
            assert b"0.93" in content  # a foreign reader gets the number itself
        assert findings_in(read_card(content, SCHEMA)[1].answers) == {DIGEST: ["performance.internal"]}, form


XXE = b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><AppliedModelCard>&x;</AppliedModelCard>'
LAUGHS = (
    b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]><AppliedModelCard>&b;'
    b"</AppliedModelCard>"
)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (XXE, "unsafe_xml"), (LAUGHS, "unsafe_xml"), (b"<AppliedModelCard>", "not_xml"), (b"<a/>", "not_chai"),
        (b'<AppliedModelCard xmlns="https://mc.chai.org/v9/schema.xsd"/>', "not_chai"), (b"", "empty"),
        (b"x" * (2 * 2**20 + 1), "too_large"), (b"{", "not_json"), (b"[" * 100_000, "not_json"), (b"{}", "not_monai"),
        (b'{"resourceType": "Patient"}', "not_fhir"), (b"---\nno end", "not_yaml"), (b"\xff\xfe", "not_text"),
        (b'{"resourceType":"DocumentReference","content":[{"attachment":{"url":"https://x.example/card"}}]}', "no_card"),
        (b'{"resourceType":"DocumentReference","content":[{"attachment":{"contentType":"text/markdown","data":"*"}}]}',
         "not_base64"),
        (b'{"format":"vigil-model-card","schema_version":"0","answers":{}}', "other_version"),
    ],
)  # fmt: skip
def test_a_bad_card_is_refused_with_one_clear_sentence(content, code):
    with pytest.raises(InvalidInput) as refusal:
        read_card(content, SCHEMA)
    assert refusal.value.code == code and len(refusal.value.message) < 250


def test_the_chai_elements_are_those_of_the_schema_in_its_order():
    """Names and order as the coalition's XML schema has them; the catalogue of requirements names the same paths."""
    import xml.etree.ElementTree as ET

    root = ET.fromstring(write_card("chai-v02", {}, SCHEMA, FACTS).content)
    prefix = "{https://mc.chai.org/v0.2/schema.xsd}"
    assert [child.tag.removeprefix(prefix) for child in root] == [
        "BasicInfo", "ReleaseInfo", "ModelSummary", "UsesAndDirections", "Warnings", "TrustIngredients", "KeyMetrics",
        "Resources", "Bibliography",
    ]  # fmt: skip
    for requirement in regulation.catalogue().framework("chai").requirements:
        path = requirement.ref
        if "optional" in path or path == "Bibliography":
            continue
        assert root.find("/".join(prefix + part for part in path.split("/"))) is not None, path
    metric = root.find(f"{prefix}KeyMetrics/{prefix}FairnessEquity")
    assert [child.tag.removeprefix(prefix) for child in metric] == [
        "MetricGoal", "Results", "Interpretation", "TestType", "TestingDataDescription",
        "ValidationProcessAndJustification",
    ]  # fmt: skip


FOREIGN = b"""<?xml version="1.0"?>
<AppliedModelCard xmlns="https://mc.chai.org/v0.2/schema.xsd">
 <BasicInfo><ModelName>Bleed finder</ModelName><ModelDeveloper>A firm</ModelDeveloper></BasicInfo>
 <ReleaseInfo><ReleaseStage>Commercial</ReleaseStage><ReleaseDate>June 2024</ReleaseDate>
  <EHRCompatibility><EHR>System X</EHR></EHRCompatibility></ReleaseInfo>
 <ModelSummary><Summary>Finds bleeds.</Summary><Keywords><Keyword>head</Keyword><Keyword>CT</Keyword></Keywords></ModelSummary>
 <KeyMetrics><UsefulnessUsabilityEfficacy><MetricGoal>Find bleeds</MetricGoal><Results><MetricResult>
   <Label>Sensitivity</Label><ValueJson>{"kind":"single","value":93.1,"unit":"%"}</ValueJson></MetricResult></Results>
  <TestType>External</TestType></UsefulnessUsabilityEfficacy></KeyMetrics>
</AppliedModelCard>"""


def test_a_card_from_elsewhere_comes_in_and_what_does_not_fit_is_listed():
    form, read = read_card(FOREIGN, SCHEMA)
    assert form == "chai"
    assert read.answers["identity.name"]["value"] == "Bleed finder"
    assert read.answers["identity.keywords"]["value"] == ["head", "CT"]
    assert read.answers["performance.internal"]["value"] == [
        {"metric": "Sensitivity", "value": 93.1, "unit": "%", "goal": "Find bleeds"}
    ]
    left = " ".join(read.left_over)
    for part in ("Commercial", "June 2024", "System X", "External"):
        assert part in left, part


def test_completeness_is_counted_by_hand():
    answers = checked_answers({"identity.name": {"status": "answered", "value": "x"},
                               "identity.contact": {"status": "not_available", "reason": "to come"}}, SCHEMA)  # fmt: skip
    ids = {"chai-basic-name", "chai-basic-developer", "chai-basic-contact"}
    found = completeness(answers, SCHEMA, framework="chai", requirement_ids=ids)
    # name, developer, contact and the address for problems name one of the three requirements
    assert (found.asked, found.answered, found.reasoned, len(found.open), found.percent) == (4, 1, 1, 2, 50)


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        ({"performance.internal": [MEASURE | {"value": 1.2}]}, "impossible_value"),
        ({"performance.internal": [MEASURE | {"metric": "HD95", "value": -1.0}]}, "impossible_value"),
        ({"performance.internal": [MEASURE | {"value": 0.99}]}, "interval_misses_value"),
        ({"performance.internal": [MEASURE | {"ci_low": 0.96}]}, "interval_reversed"),
        ({"performance.internal": [MEASURE | {"n": 0}]}, "impossible_count"),
        ({"performance.internal": [{"metric": "auroc", "value": 0.9}]}, "no_dataset"),
        ({"performance.internal": [MEASURE]}, "no_subgroup"),
        ({"performance.internal": [MEASURE], "fairness.subgroups": [MEASURE | {"stratum": "sex=F"}]}, "missing_subgroup"),
        ({"training_data.datasets": ["Set A", "set b"], "eval_data.datasets": ["Set B"]}, "test_in_training"),
        ({"identity.version": "2.0"}, "other_version"),
        ({"performance.internal": [MEASURE | {"finding": DIGEST, "value": 0.5}]}, "typed_beside_finding"),
    ],
)  # fmt: skip
def test_what_cannot_be_true_is_named(answers, code):
    card = {key: {"status": "answered", "value": value} for key, value in answers.items()}
    assert code in {problem.code for problem in problems_in(checked_answers(card, SCHEMA), SCHEMA, FACTS)}


def test_a_sound_card_has_no_problems():
    groups = [MEASURE | {"stratum": "sex=F"}, MEASURE | {"stratum": "age=65+"}]
    card = {
        "performance.internal": [MEASURE], "fairness.subgroups": groups, "training_data.datasets": ["set A"],
        "eval_data.datasets": ["set B"], "identity.version": "1.0",
    }  # fmt: skip
    answers = checked_answers({k: {"status": "answered", "value": v} for k, v in card.items()}, SCHEMA)
    assert problems_in(answers, SCHEMA, FACTS) == []


def test_the_difference_names_each_field_once():
    before = {"a": 1, "b": 2}
    assert [(row["field"], row["kind"]) for row in difference(before, {"b": 3, "c": 4})] == [
        ("a", "removed"), ("b", "changed"), ("c", "added")
    ]  # fmt: skip


def test_every_format_is_written_for_an_empty_card():
    for form in WRITERS:
        assert write_card(form, {}, SCHEMA, FACTS).content


def test_the_schema_has_the_groups_and_fields_of_its_data():
    text = Path(regulation.__file__).parent.joinpath("data/regulation/model_card_fields.yaml").read_text()
    assert len(SCHEMA.groups) == text.count("\n  fields:") == 18
    assert len(list(SCHEMA)) == text.count("\n  - id: ") - text.count("\n  - id: mitchell") == 103
