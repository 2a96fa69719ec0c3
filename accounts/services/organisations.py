"""Organisations and the sites of hospitals."""

from django.core.exceptions import ValidationError
from django.db import transaction

from accounts.models import Organisation, Site
from records.actor import Actor
from records.services import record_event


@transaction.atomic
def create_organisation(*, name: str, slug: str, kind: str, by: Actor, country: str = "") -> Organisation:
    """Make an organisation; ``ValidationError`` names the field that is wrong or taken."""
    organisation = Organisation(name=name.strip(), slug=slug, kind=kind, country=country)
    organisation.full_clean()
    organisation.save(force_insert=True)
    record_event(
        action="organisation.create", subject=organisation, by=by,
        new={"name": organisation.name, "slug": slug, "kind": kind, "country": country},
    )  # fmt: skip
    return organisation


@transaction.atomic
def add_site(organisation: Organisation, *, code: str, name: str, by: Actor, time_zone: str = "UTC") -> Site:
    """Add a place of a hospital; ``code`` is what prediction files carry and never changes afterwards."""
    if organisation.kind != Organisation.Kind.HOSPITAL:
        raise ValidationError(
            f"{organisation} is a {organisation.get_kind_display().lower()}: only hospitals have sites"
        )
    site = Site(organisation=organisation, code=code, name=name.strip(), time_zone=time_zone)
    site.full_clean()
    site.save(force_insert=True)
    record_event(
        action="site.add", subject=organisation, by=by, new={"code": code, "name": site.name, "time_zone": time_zone}
    )
    return site
