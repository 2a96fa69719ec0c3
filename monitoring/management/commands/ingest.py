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
from monitoring.intake.formats import ENDINGS, PACKED_ENDINGS
from monitoring.models import PredictionBatch
from monitoring.services.files import ingest_file, is_readable
from monitoring.services.references import freeze_reference
from records.actor import Actor


class Command(BaseCommand):
    help = (
        "Send prediction files (CSV, Parquet, JSON, NDJSON, each also .gz or .zst; DICOM; FHIR bundles) into a "
        "deployment. Folders are walked. Sent again after an interruption, a file goes on where it stopped."
    )

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
                    bar = _Bar(self.stderr, place=f"{done}/{len(files)} {file.name}")
                    batches = ingest_file(deployment, file, purpose=purpose, progress=bar.show)
                    if not batches:
                        bar.kept()
                    for batch in batches:
                        outcomes.append(_plain(file, batch))
                        bar.end(batch)
                if options["reference"]:
                    by = Actor(person_id=None, organisation_id=deployment.organisation_id, role="command_line")
                    freeze_reference(deployment, name="Reference set", description=options["reference"], by=by)
        except InvalidInput as refusal:
            raise CommandError(refusal.message, returncode=2) from refusal
        if options["json"]:
            self.stdout.write(json.dumps({"deployment": str(deployment.pk), "files": outcomes}, ensure_ascii=False))


class _Bar:
    """One line for each file; on a terminal it grows in place, in a log only its end is written."""

    WIDTH = 24

    def __init__(self, stream: Any, *, place: str) -> None:
        self.stream, self.place = stream, place
        self.live = sys.stderr.isatty()

    def show(self, done: int, of: int, step: str) -> None:
        if self.live:
            share = min(1.0, done / of) if of else 1.0
            filled = "#" * int(self.WIDTH * share)
            self.stream.write(f"\r[{filled:<{self.WIDTH}}] {share:4.0%} {self.place}: {step}", ending="")
            self.stream.flush()

    def kept(self) -> None:
        self.stream.write(f"{self.place}: taken, nothing new to count")

    def end(self, batch: PredictionBatch) -> None:
        told = [f"{batch.accepted} in", f"{batch.duplicates} known already", f"{batch.rejected} refused"]
        told += [f"{batch.corrected} of them corrections"] if batch.corrected else []
        told += [f"{batch.set_aside} control studies set aside"] if batch.set_aside else []
        start = "\r" if self.live else ""
        self.stream.write(f"{start}[{'#' * self.WIDTH}] 100% {self.place}: {', '.join(told)}")
        if batch.reason:
            self.stream.write(f"    {batch.reason}")
        for reject in batch.rejects.all()[:5]:
            self.stream.write(f"    {reject}")
        self.stream.flush()


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
    endings = f"{', '.join(ENDINGS)} (also with {' or '.join(PACKED_ENDINGS)}), .dcm"
    for path in paths:
        if path.is_dir():
            found += sorted(file for file in path.rglob("*") if file.is_file() and is_readable(file))
        elif not path.is_file():
            raise InvalidInput("no_file", f"{path} is not there: give existing files or folders")
        elif not is_readable(path):
            raise InvalidInput("unknown_format", f"{path} ends in {path.suffix!r}: give {endings}")
        else:
            found.append(path)
    if not found:
        raise InvalidInput("no_file", f"no file in {', '.join(map(str, paths))} ends in {endings}")
    return found


def _plain(file: Path, batch: PredictionBatch) -> dict[str, Any]:
    counts = ("rows", "accepted", "corrected", "duplicates", "set_aside", "rejected")
    return {
        "file": str(file), "batch": str(batch.pk), "status": batch.status, "reason": batch.reason,
        **{name: getattr(batch, name) for name in counts}, "new_columns": batch.new_columns, "removed": batch.removed,
        "rejects": list(batch.rejects.values("row", "column", "code", "value", "reason")),
    }  # fmt: skip
