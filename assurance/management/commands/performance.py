"""``vigil performance``: metrics with intervals, calibration, sites and subgroups from one prediction file."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from assurance.evidence.errors import Refusal
from assurance.evidence.finding import Finding
from assurance.metrics.catalogue import METRICS
from assurance.metrics.performance import performance_findings, reliability
from assurance.metrics.prediction_table import prediction_table
from assurance.prediction_files import read_prediction_file


class Command(BaseCommand):
    help = "Performance with intervals, calibration, sites and subgroups from a CSV or Parquet file; needs no server."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--predictions", required=True, help="CSV or Parquet file, one row per case")
        parser.add_argument("--label", help="column of the labels (0/1 or class names); found by its name otherwise")
        parser.add_argument("--score", help="column of the scores; found by its name otherwise")
        parser.add_argument("--patient", help="column that names the patient")
        parser.add_argument("--site", help="column that names the hospital")
        parser.add_argument("--by", action="append", default=[], help="a subgroup column; may be given several times")
        parser.add_argument("--threshold", type=float, default=0.5, help="a case is called at this score or more")
        parser.add_argument("--level", type=float, default=0.95, help="of the intervals")
        parser.add_argument("--interval", default="wilson", help="of shares: wilson, clopper_pearson or jeffreys")
        parser.add_argument("--replicates", type=int, default=1000, help="bootstrap draws")
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument("--limit", action="append", default=[], metavar="METRIC=VALUE", help="a declared limit")
        parser.add_argument("--json", action="store_true", help="one JSON document on standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            columns = read_prediction_file(options["predictions"])
            table = prediction_table(
                columns,
                label=options["label"],
                score=options["score"],
                patient=options["patient"],
                site=options["site"],
                by=options["by"],
            )
            findings = performance_findings(
                table,
                threshold=options["threshold"],
                level=options["level"],
                interval=options["interval"],
                replicates=options["replicates"],
                seed=options["seed"],
                limits=_limits(options["limit"]),
                progress=self.stderr.write,
            )
            diagrams = reliability(table)
        except Refusal as refusal:
            raise CommandError(refusal.message, returncode=2) from refusal
        if options["json"]:
            document = {
                "file": options["predictions"],
                "n_rows": table.n_rows,
                "columns": dict(table.roles),
                "unused_columns": list(table.unused),
                "findings": [finding.as_dict() for finding in findings],
                "reliability": diagrams,
            }
            self.stdout.write(json.dumps(document, ensure_ascii=False, allow_nan=False))
        else:
            self.stdout.write("\n".join(_line(finding) for finding in findings))


def _limits(pairs: list[str]) -> dict[str, float]:
    limits = {}
    for pair in pairs:
        key, _, value = pair.partition("=")
        METRICS[key]
        try:
            limits[key] = float(value)
        except ValueError:
            raise CommandError(
                f"--limit {pair}: give METRIC=VALUE with a number, such as auroc=0.8", returncode=2
            ) from None
    return limits


def _line(finding: Finding) -> str:
    where = ", ".join(f"{factor} {level}" for factor, level in finding.stratum.items()) or "all"
    name = " ".join(part for part in (finding.signal, finding.quantity) if part)
    if finding.value is None:
        return f"{where}: {name} has no value ({finding.reason})"
    span = finding.interval
    bounds = f" ({span.low:.3f} to {span.high:.3f}, {span.method})" if span else ""
    unit = "" if finding.unit == "1" else f" {finding.unit}"
    note = f", {finding.reason}" if finding.reason else ""
    return f"{where}: {name} {finding.value:.3f}{unit}{bounds}, n = {finding.n_cases}, {finding.state}{note}"
