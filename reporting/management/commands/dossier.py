"""``vigil dossier build DEPLOYMENT --out DIR`` and ``vigil dossier verify FILE [--trust PEM]``."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from assurance.evidence.errors import Refusal


class Command(BaseCommand):
    help = "Build an evidence dossier, or check one. Checking needs no server and no network."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        what = parser.add_subparsers(dest="what", required=True)
        build = what.add_parser("build", help="build a dossier and write PDF and bundle")
        build.add_argument("subject", help="submission (key) or deployment (slug or key)")
        build.add_argument("--out", type=Path, required=True, help="folder for PDF and bundle")
        build.add_argument("--start", help="first day, ISO; default: a year before the end")
        build.add_argument("--end", help="day after the last, ISO; default: tomorrow")
        build.add_argument("--audience", default="regulator", help="public, regulator or internal")
        build.add_argument("--purpose", default="")
        build.add_argument("--json", action="store_true", dest="as_json")
        check = what.add_parser("verify", help="check a bundle (zip or folder) or a PDF")
        check.add_argument("file", type=Path)
        check.add_argument(
            "--trust", type=Path, help="PEM with the instance's public key, its root certificate, or both"
        )
        check.add_argument("--json", action="store_true", dest="as_json")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            if options["what"] == "verify":
                self._verify(**options)
            else:
                self._build(**options)
        except Refusal as refusal:
            raise CommandError(refusal.message, returncode=2) from refusal

    def _verify(self, *, file: Path, trust: Path | None, as_json: bool, **_: Any) -> None:
        from reporting.dossier.verify import Unreadable
        from reporting.verification import verify_file

        try:
            outcome = verify_file(file, trust=trust.read_bytes() if trust else None)
        except (Unreadable, OSError, ValueError) as error:
            raise CommandError(str(error), returncode=2) from error
        if as_json:
            self.stdout.write(json.dumps(outcome.as_dict(), ensure_ascii=False, indent=1))
        else:
            for check in outcome.checks:
                self.stdout.write(f"{check['state']:>6}  {check['title']}: {check['told']}")
        if not outcome.holds:
            failed = ", ".join(check["title"] for check in outcome.checks if check["state"] == "failed")
            raise CommandError(f"{file.name} does not hold: {failed}", returncode=1)
        if not as_json:
            self.stdout.write("Every check that could be made holds.")

    def _build(
        self,
        *,
        subject: str,
        out: Path,
        start: str | None,
        end: str | None,
        audience: str,
        purpose: str,
        as_json: bool,
        **_: Any,
    ) -> None:
        from accounts.row_security import seeing
        from assurance.jobs import cancel
        from assurance.services.artefacts import read_artefact
        from records.actor import SYSTEM
        from reporting.selectors.subjects import subject_of
        from reporting.services.build import run_build
        from reporting.services.dossiers import build_dossier

        until = (
            _moment(end, "end")
            if end
            else datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        )
        since = _moment(start, "start") if start else until - timedelta(days=366)
        about = subject_of(subject)
        dossier = build_dossier(**about, start=since, end=until, audience=audience, purpose=purpose, by=SYSTEM)
        if dossier.job is not None:
            cancel(dossier.job)  # built here and now instead
        dossier.refresh_from_db()
        run_build(dossier)
        assert dossier.pdf is not None and dossier.bundle is not None  # noqa: S101
        out.mkdir(parents=True, exist_ok=True)
        written = {}
        for suffix, artefact in (("pdf", dossier.pdf), ("zip", dossier.bundle)):
            path = out / f"{dossier.number}.{suffix}"
            with seeing([dossier.organisation_id]):
                path.write_bytes(read_artefact(artefact))
            written[suffix] = {"path": str(path), "sha256": artefact.sha256}
        if as_json:
            self.stdout.write(
                json.dumps(
                    {
                        "number": dossier.number,
                        "pages": dossier.pages,
                        "contents_sha256": dossier.contents_sha256,
                        "files": written,
                        "verification": dossier.verification,
                    }
                )
            )
        else:
            self.stdout.write(f"{dossier.number}: {dossier.pages} pages, contents {dossier.contents_sha256}")
            for part in written.values():
                self.stdout.write(f"{part['sha256']}  {part['path']}")


def _moment(text: str, name: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise CommandError(f"{name} {text!r} is not an ISO date: give one such as 2026-01-31", returncode=2) from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)
