"""``vigil ingest DEPLOYMENT FILE…``: prediction files into a deployment, by the same road as the HTTP interface."""

import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.row_security import seeing
from assurance.evidence.errors import InvalidInput
from assurance.models import Deployment
from monitoring.intake.readers import ENDINGS, FORMATS, MOST_BYTES
from monitoring.models import PredictionBatch
from monitoring.services.intake import accept_batch
from monitoring.services.references import freeze_reference
from records.actor import Actor

MEDIA_TYPE = {kind: media_type for media_type, kind in reversed(FORMATS.items())}


class Command(BaseCommand):
    help = "Send prediction files (CSV, Parquet, JSON, NDJSON; folders are walked) into a deployment."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("deployment", help="slug or id of the deployment")
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
        parser.add_argument("--reference", metavar="WHY", help="these are the reference set; say where they come from")
        parser.add_argument("--json", action="store_true", help="one JSON document on stdout")

    def handle(self, *args: Any, **options: Any) -> None:
        deployment = find_deployment(options["deployment"])
        purpose = "reference" if options["reference"] else "monitoring"
        outcomes = []
        try:
            files = _files(options["files"])
            with seeing([deployment.organisation_id]):
                for done, file in enumerate(files, start=1):
                    batch = accept_batch(
                        deployment, content=file.read_bytes(), media_type=MEDIA_TYPE[ENDINGS[file.suffix.lower()]],
                        purpose=purpose,
                    )  # fmt: skip
                    outcomes.append(_plain(file, batch))
                    self._bar(done, len(files), file, batch)
                if options["reference"]:
                    by = Actor(person_id=None, organisation_id=deployment.organisation_id, role="command_line")
                    freeze_reference(deployment, name="Reference set", description=options["reference"], by=by)
        except InvalidInput as refusal:
            raise CommandError(refusal.message, returncode=2) from refusal
        if options["json"]:
            self.stdout.write(json.dumps({"deployment": str(deployment.pk), "files": outcomes}, ensure_ascii=False))

    def _bar(self, done: int, of: int, file: Path, batch: PredictionBatch) -> None:
        width = 24
        filled = "#" * (width * done // of)
        self.stderr.write(
            f"[{filled:<{width}}] {done}/{of} {file.name}: {batch.accepted} in, {batch.duplicates} known already, "
            f"{batch.rejected} refused"
        )
        for reject in batch.rejects.all()[:5]:
            self.stderr.write(f"    {reject}")
        sys.stderr.flush()


def find_deployment(name: str) -> Deployment:
    rows = Deployment.objects.select_related("version__model", "organisation")
    found = rows.filter(slug=name).first()
    if found is None and len(name) == 36:
        found = rows.filter(pk=name).first()
    if found is None:
        known = ", ".join(Deployment.objects.values_list("slug", flat=True)[:10]) or "none yet"
        raise CommandError(f"deployment {name!r} is not known: the instance has {known}", returncode=2)
    return found


def _files(paths: list[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(file for file in path.rglob("*") if file.suffix.lower() in ENDINGS)
        elif not path.is_file():
            raise InvalidInput("no_file", f"{path} is not there: give existing files or folders")
        elif path.suffix.lower() not in ENDINGS:
            raise InvalidInput("unknown_format", f"{path} ends in {path.suffix!r}: give {', '.join(ENDINGS)}")
        else:
            found.append(path)
    for file in found:
        if file.stat().st_size > MOST_BYTES:
            raise InvalidInput("too_large", f"{file} has {file.stat().st_size} bytes: at most {MOST_BYTES}, split it")
    if not found:
        raise InvalidInput("no_file", f"no file in {', '.join(map(str, paths))} ends in {', '.join(ENDINGS)}")
    return found


def _plain(file: Path, batch: PredictionBatch) -> dict[str, Any]:
    return {
        "file": str(file), "batch": str(batch.pk), "rows": batch.rows, "accepted": batch.accepted,
        "duplicates": batch.duplicates, "rejected": batch.rejected, "new_columns": batch.new_columns,
        "rejects": list(batch.rejects.values("row", "column", "code", "reason")),
    }  # fmt: skip
