"""``vigil sequential``: one detector over a series from a file. No server, no database."""

import json
from argparse import ArgumentParser
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from assurance.evidence.errors import InvalidInput, Refusal
from monitoring.sequential.catalogue import SEQUENTIAL
from monitoring.sequential.result import SequentialResult
from monitoring.sequential.seasonal import seasonal_residuals
from monitoring.series_files import missing_parameters, read_days, read_parameters, read_series


class Command(BaseCommand):
    help = "Run one sequential detector over a series: its path, the first alarm, and the run lengths of its design."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--values", type=Path, required=True,
                            help="CSV, Parquet or JSON, or one number per line, in time order")  # fmt: skip
        parser.add_argument("--column", help="the column to read (default: the only one, or 'value')")
        parser.add_argument("--risks-column", help="expected chances, for risk_adjusted_cusum (default: 'risk')")
        parser.add_argument("--days-column", help="days of the points: chart what weekday, season and memory leave")
        parser.add_argument(
            "--season-baseline", type=int, default=104, metavar="N",
            help="with --days-column: first points that the season is learned from (default: 104)",
        )  # fmt: skip
        parser.add_argument("--detector", required=True, metavar="KEY", help=f"one of {', '.join(SEQUENTIAL)}")
        parser.add_argument("--param", action="append", default=[], metavar="K=V", help="may be given several times")
        parser.add_argument("--json", action="store_true", help="one JSON document on stdout")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            result = run(options)
        except Refusal as refusal:
            raise CommandError(refusal.message, returncode=2) from refusal
        if options["json"]:
            self.stdout.write(json.dumps(result.as_dict(), ensure_ascii=False, allow_nan=False))
            return
        for text in lines(result):
            self.stdout.write(text)


def run(options: dict[str, Any]) -> SequentialResult:
    key = options["detector"]
    entry = SEQUENTIAL[key]
    detector = entry.load()
    parameters = read_parameters(options["param"], detector)
    values = read_series(options["values"], column=options["column"])
    notes: tuple[str, ...] = ()
    if options.get("days_column"):
        if entry.facts["values"] != "numbers":
            raise InvalidInput(
                "not_numbers", f"{key} reads outcomes of cases: --days-column is for one number per window"
            )
        days = read_days(options["values"], column=options["days_column"])
        season = seasonal_residuals(values, days, baseline=options["season_baseline"])
        values = season.z
        notes = (
            f"residuals after {', '.join(season.terms)}; neighbours correlate by {season.memory:.2f}; in sd of "
            f"{season.sd:.4g}; the first {options['season_baseline']} points define normal", *season.notes,
        )  # fmt: skip
    if "risks" in entry.facts["needs"]:
        parameters["risks"] = read_series(options["values"], column=options["risks_column"] or "risk")
    missing = missing_parameters(entry.facts["needs"], parameters)
    if missing:
        raise InvalidInput("parameter_missing", f"{key} needs {missing[0]}: give --param {missing[0]}=VALUE")
    result: SequentialResult = detector(values, **parameters)
    return replace(result, notes=(*result.notes, *notes)) if notes else result


def lines(result: SequentialResult) -> list[str]:
    """What a person reads: the verdict, where the change began, the design, the notes."""
    where = "no alarm" if result.alarm_index is None else f"alarm at point {result.alarm_index + 1}"
    text = [f"{result.key}: {where} of {result.n}, last value {result.statistic[-1]:.4g}"]
    if result.change_index is not None:
        text.append(f"the change most likely began at point {result.change_index + 1}")
    if result.arl0 is not None:
        bound = "at least " if result.guaranteed else ""
        text.append(f"a false alarm every {bound}{result.arl0:.4g} points")
    if result.arl1 is not None:
        text.append(f"an alarm after {result.arl1:.4g} points on average when: {result.arl1_at}")
    return text + list(result.notes)
