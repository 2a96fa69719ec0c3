"""Plan, reference sets, windows, deliveries and alarms of a deployment in a period, as plain values."""

from datetime import datetime
from typing import Any

from django.db.models import Count, Q, Sum

from assurance.models import Deployment
from monitoring.drift import thresholds
from monitoring.models import Alarm, DayState, MonitoringPlan, PredictionBatch, ReferenceSet, Reject, WindowRun
from monitoring.plan import read_plan
from reporting.dossier import numbers

ROWS = {
    "w1_sd": thresholds.W1_SD,
    "ks": thresholds.KS,
    "psi": thresholds.PSI,
    "js": thresholds.JS,
    "chi_square": thresholds.CRAMER_V,
}


def plan_facts(deployment: Deployment) -> dict[str, Any] | None:
    plan = MonitoringPlan.objects.filter(deployment=deployment).order_by("-revision").first()
    if plan is None:
        return None
    content = read_plan(plan.content)
    frequency = f"every {content.window_days} days"
    indicators = []
    for signals, methods in (("numeric", content.numeric), ("categorical", content.categorical)):
        for key in methods:
            row = ROWS.get(key)
            limits = (
                [f"{row.watch:g}", f"{row.act:g}", f"{row.act_n:,}"]
                if row
                else ["by evidence", "by evidence", "by method"]
            )
            indicators.append(
                [numbers.words(key), signals, *limits, "yes" if key in content.alarm_on else "no", frequency]
            )
    for key, limit in sorted(content.limits.items()):
        indicators.append(
            [
                numbers.words(key),
                "performance",
                f"beyond {limit:g}",
                f"interval beyond {limit:g}",
                "by method",
                "yes" if key in content.alarm_on else "no",
                frequency,
            ]
        )
    facts = [
        ["Window", f"{content.window_days} days, disjoint"],
        ["Performance looks back", f"{max(content.performance_days, content.window_days)} days"],
        ["First day", content.start.isoformat() if content.start else "the first day with cases"],
        ["Calls a person", ", ".join(numbers.words(key) for key in content.alarm_on)],
        ["Second opinion", "Evidently, beside each primary statistic" if content.second_opinion else "none"],
        ["Seed", str(content.seed)],
    ]
    return {
        "revision": plan.revision,
        "sha256": plan.sha256,
        "frozen_at": plan.frozen_at.isoformat(),
        "facts": facts,
        "indicators": indicators,
    }


def reference_facts(deployment: Deployment) -> list[dict[str, Any]]:
    return [
        {
            "name": r.name,
            "description": r.description,
            "n_cases": r.n_cases,
            "sha256": r.sha256,
            "frozen_at": r.frozen_at.isoformat(),
            "replaced_at": r.replaced_at.isoformat() if r.replaced_at else "",
        }
        for r in ReferenceSet.objects.filter(deployment=deployment)
    ]


def window_facts(deployment: Deployment, *, start: datetime, end: datetime) -> list[dict[str, Any]]:
    runs = WindowRun.objects.filter(deployment=deployment, start__lt=end.date(), end__gt=start.date()).order_by("start")
    return [
        {
            "start": r.start.isoformat(),
            "end": r.end.isoformat(),
            "n_cases": r.n_cases,
            "revision": r.revision,
            "computed_at": r.computed_at.isoformat(),
            "input_sha256": r.input_sha256,
        }
        for r in runs
    ]


def intake_facts(deployment: Deployment, *, start: datetime, end: datetime) -> dict[str, Any] | None:
    """What arrived. Counts come from day states and batches, never from a scan of predictions."""
    batches = PredictionBatch.objects.filter(deployment=deployment, purpose=PredictionBatch.Purpose.MONITORING)
    inside = batches.filter(received_at__gte=start, received_at__lt=end)
    sums = inside.aggregate(
        rows=Sum("rows"), accepted=Sum("accepted"), duplicates=Sum("duplicates"), rejected=Sum("rejected")
    )
    days = DayState.objects.filter(
        deployment=deployment, current=True, signal="score", day__gte=start.date(), day__lt=end.date()
    )
    seen = days.aggregate(n=Sum("n"), missing=Sum("missing"))
    if not sums["rows"] and not seen["n"]:
        return None
    refused = Reject.objects.filter(batch__in=inside).values("code").annotate(n=Count("pk")).order_by("-n", "code")[:6]
    told = ", ".join(f"{row['code'].replace('_', ' ')} {row['n']:,}" for row in refused)
    facts = [
        [
            "Cases studied in the period",
            f"{(seen['n'] or 0) + (seen['missing'] or 0):,} cases, {seen['missing'] or 0:,} without a score",
        ],
        ["Rows received in the period", f"{sums['rows'] or 0:,}"],
        ["Accepted", f"{sums['accepted'] or 0:,}"],
        ["Sent twice", f"{sums['duplicates'] or 0:,}"],
        ["Refused", f"{sums['rejected'] or 0:,}" + (f" ({told})" if told else "")],
        ["Days with cases", f"{days.values('day').distinct().count():,}"],
    ]
    return {"facts": facts}


def intake_of(deployments: list[Deployment], *, start: datetime, end: datetime) -> dict[str, Any] | None:
    """Deliveries of all deployments, each named where there are several."""
    facts = []
    for one in deployments:
        found = intake_facts(one, start=start, end=end)
        prefix = f"{one.name}: " if len(deployments) > 1 else ""
        facts += [[f"{prefix}{name}", value] for name, value in found["facts"]] if found else []
    return {"facts": facts} if facts else None


def alarm_facts(deployment: Deployment, *, start: datetime, end: datetime) -> list[dict[str, Any]]:
    alarms = (
        Alarm.objects.filter(
            Q(closed_at=None) | Q(closed_at__gte=start),
            deployment=deployment,
            window_start__lt=end,
            last_window_end__gt=start,
        )
        .select_related("finding")
        .prefetch_related("notes__person")
        .order_by("window_start", "pk")
    )
    return [
        {
            "title": str(a),
            "signal": a.signal,
            "stratum": a.stratum,
            "stratum_parts": dict(part.split("=", 1) for part in a.stratum.split(";") if "=" in part),
            "window_start": a.window_start.isoformat(),
            "opened_at": a.opened_at.isoformat(),
            "windows": a.windows,
            "status": a.get_status_display(),
            "cause": a.get_cause_display() if a.cause else "",
            "evidence": a.finding.evidence_id,
            "notes": [{"at": n.written_at.isoformat(), "by": n.person.name, "text": n.text} for n in a.notes.all()],
        }
        for a in alarms
    ]
