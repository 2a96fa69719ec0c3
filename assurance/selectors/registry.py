"""Models, versions and their lineage, as far as a person may look."""

from collections.abc import Iterable

from django.db.models import Q, QuerySet

from accounts.models import Person
from accounts.permissions import organisation_ids
from assurance.models import Deployment, Model, ModelVersion
from assurance.selectors.deployments import visible_deployments
from assurance.selectors.submissions import visible_submissions


def visible_versions(person: Person) -> "QuerySet[ModelVersion]":
    """Versions of the person's developers, those their hospitals run, those submitted to them, and all their bases."""
    mine = Q(model__organisation_id__in=organisation_ids(person))
    run = Q(deployments__in=visible_deployments(person))
    submitted = Q(submissions__in=visible_submissions(person))
    seen = set(ModelVersion.objects.filter(mine | run | submitted).values_list("pk", flat=True))
    seen |= ancestors_of(seen)
    return ModelVersion.objects.filter(pk__in=seen).select_related("model__organisation", "base__model")


def visible_models(person: Person) -> "QuerySet[Model]":
    versions = visible_versions(person)
    mine = Q(organisation_id__in=organisation_ids(person))
    return Model.objects.filter(mine | Q(versions__in=versions)).select_related("organisation").distinct()


def ancestors_of(versions: Iterable[int]) -> set[int]:
    """Keys of everything that ``versions`` were made from, however far up."""
    found: set[int] = set()
    layer = set(versions)
    while layer:
        bases = ModelVersion.objects.filter(pk__in=layer).exclude(base=None).values_list("base_id", flat=True)
        layer = {base for base in bases if base is not None} - found
        found |= layer
    return found


def descendants_of(version: ModelVersion) -> list[ModelVersion]:
    """Everything made from ``version``, nearest first."""
    found: list[ModelVersion] = []
    layer = [version.pk]
    while layer:
        below = list(
            ModelVersion.objects.filter(base_id__in=layer).select_related("model__organisation", "base__model")
        )
        found += below
        layer = [one.pk for one in below]
    return found


def newer_base(version: ModelVersion) -> ModelVersion | None:
    """The newest version of the line that an ancestor of ``version`` belongs to, when it came after that ancestor.

    None while every ancestor is the newest of its line: otherwise the version is marked "base changed".
    """
    base = version.base
    while base is not None:
        newest = base.model.versions.order_by("-created_at", "-pk").first()
        if newest is not None and newest.pk != base.pk and newest.created_at > base.created_at:
            return newest
        base = base.base
    return None


def deployments_of(version: ModelVersion, person: Person) -> "QuerySet[Deployment]":
    return visible_deployments(person).filter(version=version)
