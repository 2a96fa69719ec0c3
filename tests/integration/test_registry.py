"""Registering models: hashes, refusals, immutability, and the bill of materials."""

import io
import json
import pickle
import zipfile
from importlib.resources import files

import pytest
import torch
from django.db import DatabaseError, transaction

from accounts.models import Role
from assurance.evidence.errors import InvalidInput
from assurance.models import ModelVersion
from assurance.selectors.registry import newer_base
from assurance.services.bill_of_materials import bill_of_materials
from assurance.services.registry import create_deployment, register_model, register_version
from assurance.services.weights_kind import refuse_pickles
from records.actor import Actor
from records.canonical import content_hash
from records.models import AuditEvent
from tests.factories import MembershipFactory, ModelVersionFactory, OrganisationFactory, SiteFactory

SCHEMAS = ("bom-1.6", "spdx", "jsf-0.82")  # as the CycloneDX library ships them
pytestmark = pytest.mark.django_db


@pytest.fixture
def developer(settings, tmp_path):
    settings.WEIGHTS_DIR = tmp_path / "weights"
    return MembershipFactory(role=Role.DEVELOPER_AUTHOR, organisation=OrganisationFactory(kind="developer"))


def actor(membership):
    return Actor(membership.person_id, membership.organisation_id, membership.role)


def model_of(developer, **changes):
    terms = {"name": "CXR helper", "kind": "device", "task": "classification", "modality": "CR"} | changes
    return register_model(organisation=developer.organisation, by=actor(developer), **terms)


def version_of(developer, model, **changes):
    terms = {
        "version": "1.0", "adapter_key": "monai-densenet", "weights": None, "weights_sha256": "a" * 64,
        "preprocessing": {"size": 64}, "thresholds": {"pneumonia": 0.5}, "licence": "Apache-2.0",
    }  # fmt: skip
    return register_version(model=model, by=actor(developer), **(terms | changes))


def test_a_version_is_its_hashes_and_the_trail_names_them(developer, tmp_path):
    path = tmp_path / "weights.pth"
    torch.save({"layer": torch.zeros(2)}, path)
    version = version_of(developer, model_of(developer), weights=path, weights_sha256=None)
    assert version.preprocessing_sha256 == content_hash({"size": 64})
    assert version.thresholds_sha256 == content_hash({"pneumonia": 0.5})
    event = AuditEvent.objects.get(action="version.register")
    assert event.new["weights_sha256"] == version.weights_sha256


def test_no_version_is_ever_changed_or_deleted(developer):
    version = version_of(developer, model_of(developer))
    with pytest.raises(DatabaseError, match="immutable"), transaction.atomic():
        ModelVersion.objects.filter(pk=version.pk).update(licence="MIT")
    with pytest.raises(DatabaseError, match="immutable"), transaction.atomic():
        version.delete()
    with pytest.raises(InvalidInput, match="exists and is immutable"):
        version_of(developer, version.model)


class Harmful:
    def __reduce__(self):
        return (print, ("run",))


def zipped(index: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", index)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [pickle.dumps(Harmful()), pickle.dumps({"a": 1}), pickle.dumps([1], protocol=0), zipped(pickle.dumps(Harmful())),
     zipped(pickle.dumps(Harmful(), protocol=2)), zipped(pickle.dumps(Harmful(), protocol=0))],
    ids=["code", "bare", "old", "code in an archive", "protocol 2 in an archive", "protocol 0 in an archive"],
)  # fmt: skip
def test_a_weights_file_that_is_a_pickle_is_refused_and_nothing_is_kept(developer, tmp_path, settings, content):
    path = tmp_path / "weights.pt"
    path.write_bytes(content)
    model = model_of(developer)
    with pytest.raises(InvalidInput, match=r"is a pickle.*save it as safetensors"):
        version_of(developer, model, weights=path, weights_sha256=None)
    assert not ModelVersion.objects.exists() and not settings.WEIGHTS_DIR.exists()


def test_plain_tensors_pass_in_each_usual_form(tmp_path):
    from safetensors.torch import save_file

    tensors = {"layer.weight": torch.ones(3, 2), "half": torch.ones(2, dtype=torch.float16)}
    torch.save(tensors, tmp_path / "a.pth")
    torch.save(torch.nn.Linear(2, 2).state_dict(), tmp_path / "b.pt")
    save_file(tensors, tmp_path / "c.safetensors")
    torch.jit.script(torch.nn.Linear(2, 2)).save(tmp_path / "d.ts")
    for path in tmp_path.iterdir():
        refuse_pickles(path)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"adapter_key": "unheard-of"}, "unknown_adapter"), ({"licence": " "}, "no_licence"),
        ({"weights_sha256": None}, "no_weights"), ({"weights_sha256": "short"}, "not_sha256"),
        ({"container_digest": "latest"}, "not_a_digest"),
    ],
)  # fmt: skip
def test_a_version_that_says_too_little_is_refused(developer, changes, code):
    with pytest.raises(InvalidInput) as refusal:
        version_of(developer, model_of(developer), **changes)
    assert refusal.value.code == code


def test_a_foundation_model_is_not_made_from_a_device(developer):
    device = version_of(developer, model_of(developer))
    foundation = model_of(developer, name="Base", kind="foundation")
    with pytest.raises(InvalidInput, match="a Foundation model needs one of foundation"):
        version_of(developer, foundation, base=device)


def test_a_deployment_is_at_sites_of_its_own_hospital(developer):
    version = version_of(developer, model_of(developer))
    hospital, other = OrganisationFactory(), OrganisationFactory()
    with pytest.raises(InvalidInput, match="give one or more sites of"):
        create_deployment(version=version, organisation=hospital, name="CXR", by=actor(developer),
                          sites=[SiteFactory(organisation=other)])  # fmt: skip
    made = create_deployment(version=version, organisation=hospital, name="CXR", by=actor(developer),
                             sites=[SiteFactory(organisation=hospital)])  # fmt: skip
    assert made.slug == "cxr" and made.sites.count() == 1


def test_the_bill_of_materials_is_valid_cyclonedx_and_names_the_whole_lineage():
    jsonschema = pytest.importorskip("jsonschema")
    from referencing import Registry, Resource
    from referencing.jsonschema import DRAFT7

    base = ModelVersionFactory(model__kind="foundation", pretraining_sources=["public films"])
    device = ModelVersionFactory(base=base, prompt_types=["box"], known_contamination="none found")
    content = bill_of_materials(device)
    assert content == bill_of_materials(device)
    bill = json.loads(content)
    names = [bill["metadata"]["component"], *bill["components"]]
    assert [one["hashes"][0]["content"] for one in names] == [device.weights_sha256, base.weights_sha256]
    assert bill["dependencies"][0]["dependsOn"] == [names[1]["bom-ref"]]

    folder = files("cyclonedx.schema._res")
    parts = {name: json.loads(folder.joinpath(f"{name}.SNAPSHOT.schema.json").read_text()) for name in SCHEMAS}
    registry = Registry().with_resources(
        (f"http://cyclonedx.org/schema/{name}.SNAPSHOT.schema.json",
         Resource.from_contents(part, default_specification=DRAFT7)) for name, part in parts.items()
    )  # fmt: skip
    jsonschema.Draft7Validator(parts["bom-1.6"], registry=registry).validate(bill)


def test_only_what_came_after_marks_a_base_as_changed(developer):
    foundation = model_of(developer, name="Base", kind="foundation")
    first = version_of(developer, foundation, version="1")
    second = version_of(developer, foundation, version="2")
    device = version_of(developer, model_of(developer), base=second)
    assert newer_base(device) is None
    older = version_of(developer, model_of(developer, name="Older"), base=first)
    assert newer_base(older) == second
