"""``vigil replay``: what a monitoring plan would have said over the stored history, without storing anything."""

import json
from argparse import ArgumentParser
from datetime import date
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.row_security import EVERYTHING, seeing
from assurance.evidence.errors import InvalidInput, Refusal
from assurance.models import Deployment
from monitoring.plan import read_plan
from monitoring.services.replay import replay


class Command(BaseCommand):
    help = "Run a monitoring plan over a deployment's stored history: alarms, delays, false-alarm rate. Stores nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("deployment", help="slug or id")
        parser.add_argument("--plan", type=Path, required=True, help="JSON file with the plan's fields")
        parser.add_argument(
            "--change", type=date.fromisoformat, metavar="DAY",
            help="day of a known change: alarms before it are false, the first after it gives the delay",
        )  # fmt: skip
        parser.add_argument("--until", type=date.fromisoformat, metavar="DAY", help="last day (default: all)")
        parser.add_argument("--json", action="store_true", help="one JSON document on stdout")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with seeing(EVERYTHING):
                answer = replay(
                    _deployment(options["deployment"]), read_plan(_content(options["plan"])), change=options["change"],
                    until=options["until"], progress=lambda done, of, step: self.stderr.write(f"{done}/{of} {step}"),
                )  # fmt: skip
        except Refusal as refusal:
            raise CommandError(refusal.message, returncode=2) from refusal
        if options["json"]:
            self.stdout.write(json.dumps(answer, ensure_ascii=False, allow_nan=False))
            return
        for alarm in answer["alarms"]:
            name, where = alarm["signal"] or alarm["quantity"], alarm["stratum"] or "all cases"
            value = f"{alarm['quantity']} {alarm['value']:.3g}, {alarm['windows']} windows"
            self.stdout.write(f"{alarm['window_end']}  {name:<28} {where:<16} {value}")
        rate = answer["false_alarms_per_year"]
        self.stdout.write(
            f"{len(answer['alarms'])} alarms in {answer['windows']} windows ({answer['days']} days)"
            + (f"; {answer['false_alarms']} false, {rate:.2g} a year" if rate is not None else "")
            + (f"; delay {answer['delay_days']} days" if answer["delay_days"] is not None else "")
        )


def _deployment(name: str) -> Deployment:
    rows = Deployment.objects.select_related("version__model", "organisation")
    found = rows.filter(slug=name).first()
    if found is None and len(name) in (32, 36):
        found = rows.filter(pk=name).first()
    if found is None:
        raise InvalidInput("unknown_deployment", f"deployment {name!r} is not known: give the slug of one that exists")
    return found


def _content(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidInput("no_file", f"{path} is not there: give an existing file") from error
    except ValueError as error:
        raise InvalidInput("unreadable", f"{path} is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise InvalidInput("bad_plan", f"{path} holds {type(content).__name__}: give an object of the plan's fields")
    return content
