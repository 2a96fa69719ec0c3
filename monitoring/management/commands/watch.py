"""``vigil watch DEPLOYMENT FOLDER``: takes in what is put into a folder, each file once, until Ctrl-C."""

import signal
import time
from argparse import ArgumentParser
from pathlib import Path
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, connection

from accounts.row_security import seeing
from assurance.evidence.errors import InvalidInput, Unavailable
from assurance.models import Deployment
from monitoring.management.commands.ingest import find_deployment
from monitoring.services.files import ingest_file, is_readable

DONE, REFUSED = "done", "refused"


class Command(BaseCommand):
    help = (
        "Take in the files that are put into a folder. A file is taken once it has stopped growing, then moved to "
        f"{DONE}/ or, with a .txt that says why, to {REFUSED}/."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("deployment", help="slug or id of the deployment")
        parser.add_argument("folder", type=Path)
        parser.add_argument("--every", type=float, default=2.0, metavar="SECONDS")
        parser.add_argument("--once", action="store_true", help="take what is there and end")

    def handle(self, *args: Any, **options: Any) -> None:
        deployment = find_deployment(options["deployment"])
        folder: Path = options["folder"]
        if not folder.is_dir():
            raise CommandError(f"{folder} is not a folder: make it first", returncode=2)

        def stop(number: int, frame: FrameType | None) -> None:
            raise KeyboardInterrupt

        signal.signal(signal.SIGTERM, stop)
        watcher = Watcher(deployment, folder, say=self.stderr.write)
        try:
            while True:
                watcher.look()
                if options["once"]:
                    watcher.look()  # the second look finds the sizes unchanged
                    return
                time.sleep(max(0.2, options["every"]))
        except KeyboardInterrupt:
            self.stderr.write("stopped")


class Watcher:
    """Remembers how large each file was at the last look: a file that still grows is left alone."""

    def __init__(self, deployment: Deployment, folder: Path, *, say: Any) -> None:
        self.deployment, self.folder, self.say = deployment, folder, say
        self.seen: dict[Path, tuple[int, int]] = {}

    def look(self) -> int:
        """Take in every file that has not changed since the last look; how many were taken or refused."""
        now = {}
        ready = []
        for path in sorted(self.folder.iterdir()):
            if not path.is_file() or path.name.startswith(".") or path.suffix in (".part", ".tmp"):
                continue
            facts = path.stat()
            now[path] = (facts.st_size, facts.st_mtime_ns)
            if self.seen.get(path) == now[path]:
                ready.append(path)
        self.seen = now
        return sum(self._take(path) for path in ready)

    def _take(self, path: Path) -> bool:
        try:
            if not is_readable(path):
                raise InvalidInput("unknown_format", f"{path.name} is no file that can be taken in")
            with seeing([self.deployment.organisation_id]):
                batches = ingest_file(self.deployment, path, door="folder")
        except InvalidInput as refusal:
            target = self._move(path, REFUSED)
            target.with_name(f"{target.name}.txt").write_text(f"{refusal.code}: {refusal.message}\n")
            self.say(f"{path.name}: refused, {refusal.message}")
            return True
        except (Unavailable, OperationalError, OSError) as error:  # it stays where it is and is tried again
            self.say(f"{path.name}: not now, {error}")
            if not connection.in_atomic_block:
                connection.close()  # the database may have gone: the next look asks for a fresh connection
            return False
        self._move(path, DONE)
        for batch in batches:
            self.say(f"{path.name}: {batch.accepted} in, {batch.duplicates} known already, {batch.rejected} refused")
        return True

    def _move(self, path: Path, name: str) -> Path:
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        target = folder / path.name
        if target.exists():
            target = folder / f"{path.stem}.{time.time_ns()}{path.suffix}"
        self.seen.pop(path, None)
        return path.rename(target)
