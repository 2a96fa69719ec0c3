"""``vigil audit verify``: does the whole trail hold? With ``--file``: does an exported one?"""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from records import keys
from records.verify_file import first_problem


class Command(BaseCommand):
    help = "Walk the audit trail, its chain, its checkpoints and the signatures; name the first that is broken."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("what", choices=("verify", "key"))
        parser.add_argument(
            "--file", type=Path, help="an exported trail or signature: checked alone, without a database"
        )
        parser.add_argument("--key-id", default="", help="with --file: the key that must have sealed it")
        parser.add_argument("--json", action="store_true", help="one JSON document on stdout")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["what"] == "key":
            self.stdout.write(f"{keys.key_id()}\n{keys.public_key_pem().decode()}")
        elif options["file"]:
            self._file(options["file"], options["key_id"], as_json=options["json"])
        else:
            self._trail(as_json=options["json"])

    def _trail(self, *, as_json: bool) -> None:
        from records.verify import verify_trail

        report = verify_trail()
        if as_json:
            self.stdout.write(json.dumps({**asdict(report), "holds": not report.broken}))
        else:
            self.stdout.write(
                f"{report.events} events, {report.links} links, {report.checkpoints} checkpoints, "
                f"{report.signatures} signatures, {report.open_events} events not yet in the chain"
            )
        if report.broken:
            raise CommandError(f"broken: {report.broken}", returncode=1)
        if not as_json:
            self.stdout.write("The trail holds.")

    def _file(self, path: Path, key_id: str, *, as_json: bool) -> None:
        try:
            document = json.loads(path.read_bytes())
        except OSError as error:
            raise CommandError(f"{path} cannot be read: {error.strerror}", returncode=2) from error
        except ValueError as error:
            raise CommandError(f"{path} is not JSON: {error}", returncode=2) from error
        problem = first_problem(document if isinstance(document, dict) else {}, trusted_key_id=key_id)
        if as_json:
            self.stdout.write(json.dumps({"file": str(path), "holds": not problem, "problem": problem}))
        if problem:
            raise CommandError(f"broken: {problem}", returncode=1)
        if not as_json:
            self.stdout.write(f"{path.name} holds.")
