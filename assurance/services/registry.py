"""Registering models, versions and deployments: every hash taken here, nothing changed afterwards."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.text import slugify

from accounts.models import Organisation, Site
from assurance.adapters.catalogue import ADAPTERS
from assurance.evidence.checks import is_sha256
from assurance.evidence.errors import InvalidInput
from assurance.models import Deployment, Model, ModelVersion
from assurance.models.registry import Task
from assurance.services.weights import keep_weights
from assurance.services.weights_kind import refuse_pickles
from records.actor import Actor
from records.canonical import content_hash
from records.services import record_event

KINDS_BELOW: dict[Any, tuple[Any, ...]] = {  # what a version of a kind may be made from
    Model.Kind.FOUNDATION: (Model.Kind.FOUNDATION,),
    Model.Kind.ADAPTED: (Model.Kind.FOUNDATION, Model.Kind.ADAPTED),
    Model.Kind.DEVICE: (Model.Kind.FOUNDATION, Model.Kind.ADAPTED, Model.Kind.DEVICE),
}
NOT_RUN_HERE = "external"  # a version that is only registered, such as a base model that nobody loads here
CONTAINER = re.compile(r"^sha256:[0-9a-f]{64}$")


@transaction.atomic
def register_model(
    *, organisation: Organisation, name: str, kind: str, task: str, modality: str, by: Actor, slug: str = "",
    description: str = "",
) -> Model:  # fmt: skip
    """Open a line of versions. ``InvalidInput`` when a word is not one of those allowed or the name is taken."""
    if kind not in Model.Kind.values:
        raise InvalidInput("unknown_kind", f"kind {kind!r}: give one of {', '.join(Model.Kind.values)}")
    if task not in Task.values:
        raise InvalidInput("unknown_task", f"task {task!r}: give one of {', '.join(Task.values)}")
    slug = slug or slugify(name)[:80]
    if not name.strip() or not slug:
        raise InvalidInput("no_name", f"name {name!r}: give the model's name")
    if Model.objects.filter(slug=slug).exists():
        raise InvalidInput("name_taken", f"slug {slug!r} is taken: give another name or slug")
    model = Model(
        organisation=organisation, name=name.strip(), slug=slug, kind=kind, task=task, modality=modality,
        description=description,
    )  # fmt: skip
    _cleaned(model)
    model.save()
    record_event(
        action="model.register", subject=model, by=by, new={"name": model.name, "kind": kind, "task": task},
    )  # fmt: skip
    return model


@transaction.atomic
def register_version(
    *, model: Model, version: str, adapter_key: str, weights: Path | None, preprocessing: Mapping[str, Any],
    thresholds: Mapping[str, Any], licence: str, by: Actor, weights_sha256: str | None = None,
    base: ModelVersion | None = None, container_digest: str = "", input_contract: Mapping[str, Any] | None = None,
    output_contract: Mapping[str, Any] | None = None, prompt_types: Sequence[str] = (),
    pretraining_sources: Sequence[Any] = (), known_contamination: str = "",
) -> ModelVersion:  # fmt: skip
    """Register one immutable version. Weights come as a file, which is hashed and kept, or by their SHA-256 alone.

    Raises
    ------
    InvalidInput
        ``pickle`` for a weights file that would run code when it is opened, ``no_weights``, ``weights_mismatch``,
        ``unknown_adapter``, ``wrong_base``, ``not_a_digest``, ``name_taken``, ``no_licence``.
    """
    check_version(
        model=model, version=version, adapter_key=adapter_key, licence=licence, base=base,
        container_digest=container_digest,
    )  # fmt: skip
    found = ModelVersion(
        model=model, version=version.strip(), base=base, adapter_key=adapter_key,
        weights_sha256=_weights(weights, weights_sha256), preprocessing=dict(preprocessing),
        preprocessing_sha256=content_hash(preprocessing), thresholds=dict(thresholds),
        thresholds_sha256=content_hash(thresholds), container_digest=container_digest, licence=licence.strip(),
        input_contract=dict(input_contract or {}), output_contract=dict(output_contract or {}),
        prompt_types=list(prompt_types), pretraining_sources=list(pretraining_sources),
        known_contamination=known_contamination,
    )  # fmt: skip
    _cleaned(found)
    found.save()
    record_event(
        action="version.register", subject=found, by=by,
        new={"model": model.slug, "version": found.version, "weights_sha256": found.weights_sha256,
             "preprocessing_sha256": found.preprocessing_sha256, "thresholds_sha256": found.thresholds_sha256,
             "base": base.pk if base else None},
    )  # fmt: skip
    return found


def check_version(
    *, model: Model, version: str, adapter_key: str, licence: str, base: ModelVersion | None = None,
    container_digest: str = "",
) -> None:  # fmt: skip
    """Refuse what can be refused before the weights are looked at; see :func:`register_version`."""
    if adapter_key not in ADAPTERS and adapter_key != NOT_RUN_HERE:
        known = ", ".join((*ADAPTERS, NOT_RUN_HERE))
        raise InvalidInput("unknown_adapter", f"adapter_key {adapter_key!r}: choose from {known}")
    if not licence.strip():
        raise InvalidInput("no_licence", "licence is empty: give an SPDX name or the licence's title")
    if container_digest and not CONTAINER.match(container_digest):
        raise InvalidInput(
            "not_a_digest", f"container_digest {container_digest!r}: give sha256:<64 hexadecimal digits>"
        )
    if base is not None and base.model.kind not in KINDS_BELOW[Model.Kind(model.kind)]:
        raise InvalidInput(
            "wrong_base", f"base {base} is a {base.model.get_kind_display()}: a {model.get_kind_display()} needs "
            f"one of {', '.join(KINDS_BELOW[Model.Kind(model.kind)])}",
        )  # fmt: skip
    if not version.strip():
        raise InvalidInput("no_name", "version is empty: give the version's name, such as 2.1")
    if ModelVersion.objects.filter(model=model, version=version.strip()).exists():
        raise InvalidInput("name_taken", f"version {version!r} of {model} exists and is immutable: give another name")


@transaction.atomic
def create_deployment(
    *, version: ModelVersion, organisation: Organisation, name: str, sites: Iterable[Site], by: Actor, slug: str = "",
    note: str = "",
) -> Deployment:  # fmt: skip
    """Put ``version`` into use at ``sites`` of one hospital. ``InvalidInput`` for a site of another organisation."""
    places = list(sites)
    foreign = [site.code for site in places if site.organisation_id != organisation.pk]
    if foreign or not places:
        raise InvalidInput(
            "wrong_sites", f"sites {foreign or 'is empty'}: give one or more sites of {organisation.name}"
        )
    if organisation.kind != Organisation.Kind.HOSPITAL:
        raise InvalidInput(
            "not_a_hospital", f"{organisation.name} is a {organisation.kind}: deployments are hospitals'"
        )
    slug = slug or slugify(name)[:80]
    if not slug or Deployment.objects.filter(slug=slug).exists():
        raise InvalidInput("name_taken", f"slug {slug!r} is empty or taken: give another name or slug")
    deployment = Deployment(slug=slug, name=name.strip(), organisation=organisation, version=version, note=note)
    _cleaned(deployment)
    deployment.save()
    deployment.sites.set(places)
    record_event(
        action="deployment.create", subject=deployment, by=by,
        new={"version": str(version), "sites": sorted(site.code for site in places)},
    )  # fmt: skip
    return deployment


def _weights(path: Path | None, sha256: str | None) -> str:
    if path is None:
        if sha256 is None:
            raise InvalidInput("no_weights", "weights is missing: give the file, or its SHA-256 in weights_sha256")
        is_sha256(sha256)
        return sha256
    for file in sorted(path.rglob("*")) if path.is_dir() else (path,):
        if not file.is_dir():
            refuse_pickles(file)
    found = keep_weights(path)
    if sha256 is not None and sha256 != found:
        raise InvalidInput("weights_mismatch", f"{path.name} has SHA-256 {found}, not {sha256}: check the file")
    return found


# Not every model takes prompts, has thresholds or discloses what it was trained on: an empty answer is an answer.
MAY_BE_EMPTY = (
    "prompt_types", "thresholds", "pretraining_sources", "preprocessing", "input_contract", "output_contract",
)  # fmt: skip


def _cleaned(row: Any) -> None:
    try:
        row.full_clean(exclude=MAY_BE_EMPTY, validate_unique=False, validate_constraints=False)
    except (ValidationError, IntegrityError) as refusal:
        field, errors = next(iter(refusal.message_dict.items()))
        raise InvalidInput("not_valid", f"{field} {getattr(row, field, '')!r}: {' '.join(errors)}") from refusal
