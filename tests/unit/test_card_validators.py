"""Cards that go out, judged by what is not ours: XML schema, FHIR resources, Hugging Face's and MONAI's readers."""

import base64
import json

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from assurance.cards.formats import write_card
from assurance.cards.monai_bundle import NOT_IN_A_CARD
from tests.unit.test_cards import FACTS, MEASURE, SCHEMA, cards

FULL = {
    "identity.summary": {"status": "answered", "value": "Finds <pneumonia> & more.\nSecond line."},
    "identity.keywords": {"status": "answered", "value": ["chest", "X-ray"]},
    "use.intended_use": {"status": "answered", "value": "Triage."},
    "regulatory.status": {"status": "not_available", "reason": "not submitted"},
    "performance.internal": {"status": "answered", "value": [MEASURE, MEASURE | {"metric": "brier", "value": 0.1}]},
    "fairness.internal": {"status": "not_applicable", "reason": "one site"},
}  # fmt: skip


@pytest.fixture(scope="module")
def chai():
    pytest.importorskip("lxml")
    from tests.chai_schema import schema_of

    return {version: schema_of(version) for version in ("v0.1", "v0.2")}


def parsed(version, answers):
    from lxml import etree

    return etree.fromstring(write_card(f"chai-{version.replace('.', '')}", answers, SCHEMA, FACTS).content)


@pytest.mark.parametrize("version", ["v0.1", "v0.2"])
def test_chai_xml_is_valid_by_the_schema_of_its_version_and_not_by_the_other(chai, version):
    other = "v0.2" if version == "v0.1" else "v0.1"
    for answers in ({}, FULL):
        tree = parsed(version, answers)
        chai[version].assertValid(tree)
        assert not chai[other].validate(tree)
    tree = parsed(version, FULL)
    tree.remove(tree[0])  # the schema does refuse what is not whole
    assert not chai[version].validate(tree)


@given(cards(), st.sampled_from(["v0.1", "v0.2"]))
@settings(max_examples=25, deadline=None)
def test_any_card_is_valid_chai_xml(chai, answers, version):
    chai[version].assertValid(parsed(version, answers))


def test_the_fhir_bundle_is_valid_by_another_implementation_of_fhir():
    bundle = pytest.importorskip("fhir.resources.R4B.bundle")
    for answers in ({}, FULL):
        content = write_card("fhir", answers, SCHEMA, FACTS).content
        read = bundle.Bundle.model_validate_json(content)
        device, document = (entry.resource for entry in read.entry)
        assert (device.get_resource_type(), document.get_resource_type()) == ("Device", "DocumentReference")
        markdown = base64.b64decode(json.loads(content)["entry"][1]["resource"]["content"][0]["attachment"]["data"])
        assert markdown == write_card("hugging-face", answers, SCHEMA, FACTS).content
    broken = json.loads(content)
    del broken["entry"][1]["resource"]["content"]
    with pytest.raises(ValueError, match="content"):
        bundle.Bundle.model_validate_json(json.dumps(broken))


def test_the_hugging_face_card_is_read_by_their_library_with_its_numbers():
    hub = pytest.importorskip("huggingface_hub")
    text = write_card("hugging-face", FULL, SCHEMA, FACTS).content.decode()
    data = hub.ModelCard(text, ignore_metadata_errors=False).data
    assert (data.license, data.pipeline_tag) == ("Apache-2.0", "image-classification")
    assert {"medical", "chest", "X-ray"} <= set(data.tags)
    measured = {one.metric_type: one.metric_value for one in data.eval_results}
    assert measured == {"auroc": 0.93, "brier": 0.1}
    assert all(one.dataset_name == "set B" for one in data.eval_results)
    again = hub.ModelCard(str(hub.ModelCard(text)))  # written by their library it says the same
    assert again.data.to_dict() == data.to_dict() and again.text.strip() == hub.ModelCard(text).text.strip()
    assert yaml.safe_load(text.split("---")[1])["license"] == "Apache-2.0"


def test_monai_reads_the_metadata_and_what_it_misses_is_what_a_card_does_not_know(tmp_path):
    bundle = pytest.importorskip("monai.bundle")
    from monai.bundle.properties import MetaProperties

    path = tmp_path / "metadata.json"
    path.write_bytes(write_card("monai", FULL, SCHEMA, FACTS).content)
    parser = bundle.ConfigParser({"network": 1})
    parser.read_meta(str(path))
    assert parser.get_parsed_content("_meta_#version") == "1.0"
    assert parser.get_parsed_content("_meta_#eval_metrics") == {"auroc": 0.93, "brier": 0.1}
    meta = json.loads(path.read_text())
    keys = {name: terms for name, terms in MetaProperties.items() if terms["required"]}
    missing = {terms["id"].split("::")[1] for terms in keys.values()} - set(meta)
    assert missing == set(NOT_IN_A_CARD) & {"monai_version", "pytorch_version", "numpy_version"}
