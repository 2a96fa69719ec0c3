"""Report cards of method × version, as Findings, and the bar that a failed card puts before dossiers."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from django.db import transaction
from django.db.models import QuerySet
from django.utils.dateparse import parse_datetime

from assurance.evidence.finding import Finding, State
from assurance.models import CaseFile, Deployment, FindingRecord, ModelVersion
from assurance.services.findings import store_findings
from explainability.faithfulness.report_card import card
from explainability.faithfulness.signal_windows import signal_findings
from explainability.models import Explanation

FAMILY = str(FindingRecord.Family.EXPLANATION)


@transaction.atomic
def store_cards(
    deployment: Deployment, *, version: ModelVersion, methods: Iterable[str] | None = None
) -> list[Finding]:
    """Compute the card of each method over all its maps of ``version`` and bar or free those maps accordingly."""
    done = Explanation.objects.filter(deployment=deployment, version=version, status=Explanation.Status.DONE)
    found: list[Finding] = []
    present = set(done.values_list("method", flat=True))
    keys = sorted(present if methods is None else present & set(methods))
    for method in keys:
        # One map for each case, the newest: two baselines of one case are one case.
        newest: dict[str, list[dict[str, object]]] = {}
        for case, contents in done.filter(method=method).order_by("finished_at").values_list("case", "report_card"):
            newest[case] = contents
        findings = card([newest[case] for case in sorted(newest)], method=method, model_version=str(version))
        store_findings(findings, family=FAMILY, deployment=deployment, version=version)
        whole = findings[-1]
        bar = f"{method} {whole.reason}" if whole.state is State.ACT else ""
        done.filter(method=method).exclude(barred_reason=bar).update(barred_reason=bar)
        found += findings
        signals = signal_findings(_signals(done.filter(method=method)), method=method, model_version=str(version))
        store_findings(signals, family=FAMILY, deployment=deployment, version=version)
        found += signals
    return found


def _signals(rows: QuerySet[Explanation]) -> list[tuple[datetime, dict[str, float | None]]]:
    """Study time and scalars of each case's newest map; the time of the map where the case has none."""
    newest = {
        row["case"]: row for row in rows.order_by("finished_at").values("case", "deployment", "facts", "created_at")
    }
    files = CaseFile.objects.filter(
        deployment__in={row["deployment"] for row in newest.values()}, case__in=newest, role=CaseFile.Role.IMAGE
    )
    times = {file.case: parse_datetime(str(file.facts.get("study_time", ""))) for file in files}
    found = []
    for case in sorted(newest):
        time = times.get(case) or newest[case]["created_at"]
        found.append((time if time.tzinfo else time.replace(tzinfo=UTC), newest[case]["facts"].get("signals", {})))
    return found
