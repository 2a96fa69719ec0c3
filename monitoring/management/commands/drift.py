"""``vigil drift``: two files in, one Finding for each column and method out. No server, no database."""

import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from assurance.evidence.errors import InvalidInput
from assurance.evidence.finding import Finding
from monitoring.compare_files import ColumnResult, compare_files
from monitoring.drift.catalogue import DETECTORS


class Command(BaseCommand):
    help = "Drift between a reference and a current CSV or Parquet file, each value with its null law and state."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--reference", type=Path, required=True, help="CSV or Parquet file that defines normal")
        parser.add_argument("--current", type=Path, required=True, help="CSV or Parquet file that is judged")
        parser.add_argument("--columns", nargs="+", help="only these columns (default: all that both files share)")
        parser.add_argument(
            "--method", nargs="+", metavar="KEY", help=f"instead of the defaults, these: {', '.join(DETECTORS)}"
        )
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument("--json", action="store_true", help="one JSON document on stdout")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            results = compare_files(
                options["reference"], options["current"], columns=options["columns"], methods=options["method"],
                seed=options["seed"], progress=self.stderr.write,
            )  # fmt: skip
        except InvalidInput as refusal:
            raise CommandError(refusal.message, returncode=2) from refusal
        if options["json"]:
            self.stdout.write(json.dumps({"columns": [_plain(result) for result in results]}, indent=2))
            return
        for result in results:
            for finding in result.findings:
                self.stdout.write(line(finding))
            if result.note:
                self.stdout.write(f"{result.column}: {result.note}")


def _plain(result: ColumnResult) -> dict[str, Any]:
    findings = [finding.as_dict() | {"digest": finding.digest()} for finding in result.findings]
    return {"column": result.column, "note": result.note, "findings": findings}


def line(finding: Finding) -> str:
    """``score  w1_sd  0.83 sd  act  (n 600, m 300, p 0.0002)``"""
    value = "–" if finding.value is None else f"{finding.value:.4g}"
    unit = "" if finding.unit == "1" else f" {finding.unit}"
    p_value = finding.null.p_value if finding.null else None
    chance = "" if p_value is None else f", p {p_value:.2g}"
    why = f"  {finding.reason}" if finding.reason else ""
    sizes = f"(n {finding.n_reference}, m {finding.n_cases}{chance})"
    return f"{finding.signal:<28} {finding.quantity:<10} {value:>9}{unit:<3} {finding.state.value:<12} {sizes}{why}"
