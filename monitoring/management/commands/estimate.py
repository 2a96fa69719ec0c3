"""``vigil estimate``: performance of a window without labels, or with few, from two prediction files."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from assurance.evidence.errors import Refusal
from assurance.evidence.finding import Finding
from assurance.metrics.prediction_table import prediction_table
from assurance.prediction_files import read_prediction_file
from monitoring.estimation.window_estimate import DEFAULT, estimate_findings, numeric_features


class Command(BaseCommand):
    help = "Label-free performance (CBPE, CM-ATC, CM-DoC, label shift) and PPI++ from two files; needs no server."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--reference", required=True, help="labelled CSV or Parquet file")
        parser.add_argument("--current", required=True, help="CSV or Parquet file; labels may be missing")
        parser.add_argument(
            "--method", action="append", default=[], help="an estimator's key; may be given several times"
        )
        parser.add_argument("--label", help="column of the labels, in both files")
        parser.add_argument("--score", help="column of the scores, in both files")
        parser.add_argument("--patient", help="column that names the patient, in both files")
        parser.add_argument("--threshold", type=float, default=0.5, help="a case is called at this score or more")
        parser.add_argument("--calibration", default="auto", help="auto, isotonic, platt or none")
        parser.add_argument("--level", type=float, default=0.95, help="of the intervals")
        parser.add_argument("--replicates", type=int, default=200, help="bootstrap draws")
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument("--json", action="store_true", help="one JSON document on standard output")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            reference_columns = read_prediction_file(options["reference"])
            current_columns = read_prediction_file(options["current"])
            label = options["label"]
            names = {"score": options["score"], "patient": options["patient"]}
            reference = prediction_table(reference_columns, label=label, **names)
            current_label = label if label in current_columns else None
            current = prediction_table(current_columns, label=current_label, labels_needed=False, **names)
            reference_features, feature_names = numeric_features(reference_columns)
            current_features = None
            if feature_names and "m_cbpe" in options["method"]:
                current_features, _ = numeric_features(current_columns, names=feature_names)
            findings = estimate_findings(
                reference,
                current,
                estimators=options["method"] or DEFAULT,
                threshold=options["threshold"],
                calibration=options["calibration"],
                level=options["level"],
                replicates=options["replicates"],
                seed=options["seed"],
                reference_features=reference_features,
                current_features=current_features,
                progress=self.stderr.write,
            )
        except Refusal as refusal:
            raise CommandError(refusal.message, returncode=2) from refusal
        if options["json"]:
            document = {
                "reference": options["reference"],
                "current": options["current"],
                "n_reference": reference.n_rows,
                "n_current": current.n_rows,
                "findings": [finding.as_dict() for finding in findings],
            }
            self.stdout.write(json.dumps(document, ensure_ascii=False, allow_nan=False))
        else:
            self.stdout.write("\n".join(_line(finding) for finding in findings))


def _line(finding: Finding) -> str:
    name = " ".join(part for part in (finding.signal, finding.quantity, f"by {finding.method.key}") if part)
    if finding.value is None:
        return f"{name} has no value ({finding.reason})"
    span = finding.interval
    bounds = f" ({span.low:.3f} to {span.high:.3f}, {span.method})" if span else ""
    before = finding.details.get("reference_value")
    then = f", reference {before:.3f}" if before is not None else ""
    note = f", {finding.reason}" if finding.reason else ""
    badge = finding.details.get("badge", "")
    return f"{name} {finding.value:.3f}{bounds}{then}, n = {finding.n_cases}, {finding.state}{note} [{badge}]"
