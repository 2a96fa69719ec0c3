"""``vigil audit verify``: does the whole trail hold?"""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from records.verify import verify_trail


class Command(BaseCommand):
    help = "Walk the audit trail, its chain, its checkpoints and the signatures; name the first that is broken."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("what", choices=("verify",))

    def handle(self, *args: Any, **options: Any) -> None:
        report = verify_trail()
        self.stdout.write(
            f"{report.events} events, {report.links} links, {report.checkpoints} checkpoints, "
            f"{report.signatures} signatures, {report.open_events} events not yet in the chain"
        )
        if report.broken:
            raise CommandError(f"broken: {report.broken}", returncode=1)
        self.stdout.write("The trail holds.")
