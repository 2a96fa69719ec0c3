"""``vigil model``: list the adapters, fetch official weights, and tell what a file is."""

import json
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from assurance.adapters.catalogue import ADAPTERS
from assurance.evidence.errors import Refusal


class Command(BaseCommand):
    help = "Adapters and their weights: list, fetch official weights, check a file; needs no server."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        doors = parser.add_subparsers(dest="door", required=True)
        listing = doors.add_parser("list", help="the adapters, their tasks and licences")
        listing.add_argument("--json", action="store_true", help="one JSON document on standard output")
        fetching = doors.add_parser("fetch", help="download official weights, check their SHA-256, record the licence")
        fetching.add_argument("key", help=", ".join(ADAPTERS))
        fetching.add_argument("--out", help="folder; <instance>/weights/official/KEY otherwise")
        fetching.add_argument(
            "--accept-licence", action="store_true", help="you may use these weights under their terms"
        )
        checking = doors.add_parser("check", help="tell what a file or folder is and which adapter takes it")
        checking.add_argument("path")
        checking.add_argument("--load", action="store_true", help="load it too, and refuse what does not fit")
        checking.add_argument("--json", action="store_true", help="one JSON document on standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            {"list": self._list, "fetch": self._fetch, "check": self._check}[options["door"]](options)
        except Refusal as refusal:
            raise CommandError(refusal.message, returncode=2) from refusal

    def _list(self, options: dict[str, Any]) -> None:
        rows = [
            {"key": key, "title": entry.title, "source": entry.source, **entry.facts} for key, entry in ADAPTERS.items()
        ]
        if options["json"]:
            self.stdout.write(json.dumps(rows, ensure_ascii=False))
            return
        for row in rows:
            self.stdout.write(f"{row['key']}: {row['title']}, {row['task']}, licence {row['licence']}; {row['layout']}")

    def _fetch(self, options: dict[str, Any]) -> None:
        from assurance.adapters.fetching import fetch

        key = options["key"]
        folder = Path(options["out"]) if options["out"] else Path(settings.WEIGHTS_DIR) / "official" / key
        path = fetch(key, folder, accept_licence=options["accept_licence"], say=self.stderr.write)
        self.stdout.write(f"{key}:{path}")

    def _check(self, options: dict[str, Any]) -> None:
        from assurance.adapters.inspection import inspect

        path = Path(options["path"]).expanduser()
        report = inspect(path)
        document = report.as_dict()
        if options["load"]:
            if not report.adapter:
                raise CommandError(f"{path}: {report.reason}", returncode=2)
            model = ADAPTERS.load(report.adapter)(path)
            contract = model.contract
            document["loaded"] = {
                "task": model.task, "inputs": contract.inputs, "outputs": contract.outputs,
                "classes": list(contract.classes), "weights_sha256": model.weights_sha256,
            }  # fmt: skip
        if options["json"]:
            self.stdout.write(json.dumps(document, ensure_ascii=False, allow_nan=False))
            return
        size = f"{report.n_bytes / 1e6:.1f} MB"
        tensors = f", {report.n_tensors} tensors, {report.n_parameters} parameters" if report.n_tensors else ""
        self.stdout.write(f"{path}: {report.kind}, {size}{tensors}")
        if report.sha256:
            self.stdout.write(f"SHA-256 {report.sha256}")
        taker = (
            f"adapter {report.adapter} ({ADAPTERS[report.adapter].title})" if report.adapter else "no adapter takes it"
        )
        self.stdout.write(f"{taker}: {report.reason}")
        if "loaded" in document:
            self.stdout.write(f"loads: {document['loaded']['inputs']} -> {document['loaded']['outputs']}")
