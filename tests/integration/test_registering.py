"""The pages that register a model, a version and a deployment: who may, what a worker does with the file, refusals."""

import pickle

import pytest
import torch
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from safetensors.torch import save

from accounts.models import Role
from assurance.evidence.errors import InvalidInput
from assurance.models import Deployment, Job, Model, ModelVersion, VersionRequest
from assurance.services.version_requests import ask_version, look_at_weights, path_of
from records.actor import Actor
from records.models import AuditEvent
from tests.factories import MembershipFactory, ModelFactory, ModelVersionFactory, OrganisationFactory, SiteFactory

pytestmark = pytest.mark.django_db
TENSORS = save({"layer": torch.zeros(2, 3)})
NEW_MODEL = {"name": "CXR helper", "kind": "device", "task": "classification", "modality": "CR", "description": ""}


@pytest.fixture(autouse=True)
def weights(settings, tmp_path):
    settings.WEIGHTS_DIR = tmp_path / "weights"


@pytest.fixture
def people():
    developer, hospital = OrganisationFactory(kind="developer"), OrganisationFactory(kind="hospital")
    roles = {
        "owner": (developer, Role.DEVELOPER_AUTHOR), "colleague": (developer, Role.DEVELOPER_AUTHOR),
        "approver": (developer, Role.DEVELOPER_APPROVER), "qa": (hospital, Role.HOSPITAL_QA),
        "reader": (hospital, Role.HOSPITAL_READER), "stranger": (OrganisationFactory(kind="developer"),
                                                                  Role.DEVELOPER_AUTHOR),
    }  # fmt: skip
    return {
        name: MembershipFactory(organisation=organisation, role=role).person
        for name, (organisation, role) in roles.items()
    }


def home(person):
    return person.memberships.get().organisation


def version_fields(**changes):
    fields = {
        "version": "1.0", "adapter_key": "monai-densenet", "licence": "Apache-2.0", "weights_sha256": "",
        "preprocessing": "size: 64", "thresholds": "pneumonia: 0.5", "prompt_types": "box\npoints",
    }  # fmt: skip
    return fields | changes


def test_a_developer_registers_a_model_and_a_version_by_its_hash(client, people):
    client.force_login(people["owner"])
    assert reverse("assurance:model_new") in client.get(reverse("assurance:model_list")).content.decode()
    posted = NEW_MODEL | {"organisation": home(people["owner"]).pk}
    answer = client.post(reverse("assurance:model_new"), posted)
    model = Model.objects.get()
    assert answer.url == reverse("assurance:version_new", args=[model.slug])
    answer = client.post(answer.url, version_fields(weights_sha256="A" * 64))
    version = ModelVersion.objects.get()
    assert answer.url == reverse("assurance:version", args=[version.pk])
    assert (version.weights_sha256, version.preprocessing, version.prompt_types) == (
        "a" * 64, {"size": 64}, ["box", "points"]
    )  # fmt: skip
    event = AuditEvent.objects.get(action="version.register")
    assert (event.person_id, event.role) == (people["owner"].pk, Role.DEVELOPER_AUTHOR)


def test_an_upload_is_hashed_by_a_worker_and_then_is_the_version(
    client, people, settings, django_capture_on_commit_callbacks
):
    model = ModelFactory(organisation=home(people["owner"]))
    client.force_login(people["colleague"])
    address = reverse("assurance:version_new", args=[model.slug])
    upload = SimpleUploadedFile("model.safetensors", TENSORS)
    with django_capture_on_commit_callbacks():  # nothing is sent: the web process alone has seen the file
        assert client.post(address, version_fields(weights=upload)).url == reverse("assurance:model", args=[model.slug])
    request, job = VersionRequest.objects.get(), Job.objects.get()
    assert not ModelVersion.objects.exists() and job.arguments == {"request_id": str(request.pk)}
    assert b"is being checked by a worker" in client.get(reverse("assurance:model", args=[model.slug])).content
    look_at_weights(request.pk)
    look_at_weights(request.pk)  # a message that comes twice
    version = ModelVersion.objects.get()
    assert (settings.WEIGHTS_DIR / f"{version.weights_sha256}.safetensors").read_bytes() == TENSORS
    assert not list((settings.WEIGHTS_DIR / "arriving").iterdir())


class Harmful:
    def __reduce__(self):
        return (print, ("run",))


@pytest.mark.parametrize("content", [pickle.dumps(Harmful()), pickle.dumps({"a": 1})], ids=["code", "bare"])
def test_an_uploaded_pickle_is_refused_in_one_sentence_on_the_page_and_nothing_is_kept(
    client, people, settings, capsys, content
):
    model = ModelFactory(organisation=home(people["owner"]))
    client.force_login(people["owner"])
    address = reverse("assurance:version_new", args=[model.slug])
    client.post(address, version_fields(weights=SimpleUploadedFile("model.pt", content)))
    look_at_weights(VersionRequest.objects.get().pk)
    page = client.get(reverse("assurance:model", args=[model.slug])).content.decode()
    assert "refused. model.pt is a pickle, which can run code: save it as safetensors" in page
    assert not ModelVersion.objects.exists() and "run" not in capsys.readouterr().out
    assert [path for path in settings.WEIGHTS_DIR.rglob("*") if path.is_file()] == []
    assert AuditEvent.objects.get(action="version.refuse").new["code"] == "pickle"


def test_a_file_and_a_hash_that_disagree_and_a_file_that_is_too_large_are_refused(people, settings):
    model = ModelFactory(organisation=home(people["owner"]))
    by = Actor(people["owner"].pk, model.organisation_id, Role.DEVELOPER_AUTHOR)
    content = {"version": "1", "adapter_key": "monai-densenet", "licence": "MIT", "preprocessing": {}, "thresholds": {}}
    terms = {"model": model, "base": None, "by": by, "pieces": [TENSORS]}
    asked = ask_version(content=content | {"weights_sha256": "b" * 64}, file_name="m.safetensors", **terms)
    assert "not " + "b" * 64 in look_at_weights(asked.pk).reason
    settings.WEIGHTS_LIMIT_BYTES = 10
    for name, changes, code in (
        ("m.safetensors", {}, "too_large"), ("m.exe", {}, "file_kind"), ("../../m.pt", {"licence": " "}, "no_licence"),
        ("m.pt", {"adapter_key": "x"}, "unknown_adapter"),
    ):  # fmt: skip
        with pytest.raises(InvalidInput) as refusal:
            ask_version(content=content | changes, file_name=name, **terms)
        assert refusal.value.code == code
    assert VersionRequest.objects.count() == 1 and path_of(asked).parent.name == "arriving"
    assert not ModelVersion.objects.exists() and not list(path_of(asked).parent.iterdir())


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"weights_sha256": ""}, "Give the weights file, or their SHA-256"),
        ({"weights_sha256": "abc"}, "64"),
        ({"weights_sha256": "a" * 64, "preprocessing": "- a\n- b"}, "Write it as lines of name: value"),
        ({"weights_sha256": "a" * 64, "preprocessing": "a: &x [1]\nb: *x"}, "write every value out"),
        ({"weights_sha256": "a" * 64, "thresholds": "cut: .nan"}, "write text, numbers"),
        ({"weights_sha256": "a" * 64, "thresholds": "day: 2026-13-40"}, "is not readable"),
        ({"weights_sha256": "a" * 64, "adapter_key": "unheard"}, "not one of the available choices"),
        ({"weights_sha256": "a" * 64, "container_digest": "latest"}, "give sha256:"),
    ],
)
def test_a_wrong_field_is_named_and_nothing_is_written(client, people, changes, told):
    model = ModelFactory(organisation=home(people["owner"]))
    client.force_login(people["owner"])
    answer = client.post(reverse("assurance:version_new", args=[model.slug]), version_fields(**changes))
    assert answer.status_code == 422 and told in answer.content.decode()
    assert not ModelVersion.objects.exists() and not AuditEvent.objects.filter(action="version.register").exists()


def test_owner_and_colleague_register_others_do_not(client, people):
    model = ModelFactory(organisation=home(people["owner"]))
    version = reverse("assurance:version_new", args=[model.slug])
    expected = {
        "owner": (200, 200, 403), "colleague": (200, 200, 403), "approver": (403, 403, 403), "qa": (403, 404, 200),
        "reader": (403, 404, 403), "stranger": (200, 404, 403),
    }  # fmt: skip
    for name, codes in expected.items():
        client.force_login(people[name])
        pages = (reverse("assurance:model_new"), version, reverse("assurance:deployment_new"))
        assert tuple(client.get(page).status_code for page in pages) == codes, name
        posted = NEW_MODEL | {"name": f"Of {name}", "organisation": home(people["owner"]).pk}
        client.post(pages[0], posted)
        assert Model.objects.filter(name=f"Of {name}").exists() == (name in ("owner", "colleague"))


def test_a_hospital_opens_a_deployment_of_a_version_that_it_names_by_its_hash(client, people):
    version = ModelVersionFactory()
    hospital = home(people["qa"])
    site, foreign = SiteFactory(organisation=hospital), SiteFactory()
    client.force_login(people["qa"])
    address = reverse("assurance:deployment_new")
    posted = {"organisation": hospital.pk, "weights_sha256": version.weights_sha256, "name": "CXR at night",
              "sites": [site.code], "note": ""}  # fmt: skip
    for changes, told in (
        ({"weights_sha256": "c" * 64}, "No version with these weights"), ({"sites": [foreign.code]}, "Select a valid"),
        ({"weights_sha256": ""}, "one of the two"), ({"organisation": foreign.organisation_id}, "Select a valid"),
    ):  # fmt: skip
        answer = client.post(address, posted | changes)
        assert answer.status_code == 422 and told in answer.content.decode()
    assert not Deployment.objects.exists()
    client.post(address, posted)
    made = Deployment.objects.get()
    assert (made.version, made.organisation, list(made.sites.all())) == (version, hospital, [site])
    client.force_login(people["reader"])
    assert client.post(address, posted | {"name": "Second"}).status_code == 403
    assert Deployment.objects.count() == 1
