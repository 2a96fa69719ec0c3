"""``vigil invite``: the first administrator of an instance, or anybody later, by a one-time link."""

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.urls import reverse

from accounts.models import Organisation, Person, Role
from accounts.services import add_person, create_organisation, grant_role, make_link
from records.actor import SYSTEM


class Command(BaseCommand):
    help = "Give a person a role and print a one-time link with which they choose their password."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--name", default="", help="printed name of a new person, as it stands under signatures")
        parser.add_argument("--organisation", required=True, help="its short name; made when --kind is given")
        parser.add_argument("--organisation-name", default="", help="full name of a new organisation")
        parser.add_argument("--kind", choices=Organisation.Kind.values, help="make the organisation when it is missing")
        parser.add_argument("--role", default=Role.PLATFORM_ADMIN, choices=Role.values)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            secret = self._invite(**options)
        except ValidationError as refusal:
            raise CommandError("; ".join(refusal.messages), returncode=2) from refusal
        address = f"{settings.BASE_URL}{reverse('accounts:invitation', args=[secret])}"
        self.stdout.write(f"{options['email']} opens this link once, within seven days:\n{address}")

    @transaction.atomic
    def _invite(self, *, email: str, name: str, organisation: str, role: str, **options: Any) -> str:
        found = Organisation.objects.filter(slug=organisation).first()
        if found is None:
            if not options["kind"]:
                raise ValidationError(f"organisation {organisation!r} is not known: give --kind to make it")
            full = options["organisation_name"] or organisation.replace("-", " ").title()
            found = create_organisation(name=full, slug=organisation, kind=options["kind"], by=SYSTEM)
        person = Person.objects.filter(email=email.lower()).first()
        person = person or add_person(email=email, name=name or email, by=SYSTEM)
        if not person.memberships.current().filter(organisation=found, role=role).exists():
            grant_role(person, found, role, by=SYSTEM)
        return make_link(person, by=SYSTEM)[1]
