"""What the demo found, in words with numbers, read from the findings alone."""

from collections.abc import Iterator

from django.db.models import Q

from assurance.models import Deployment, FindingRecord
from assurance.selectors.findings import FindingSeries, current, series
from explainability.models import Explanation
from monitoring.models import Alarm
from monitoring.words import name_of, place_name, signal_name
from vigilance.models import Incident


def told(deployment: Deployment) -> Iterator[str]:
    """Performance by site, drift in sentences, maps and robustness."""
    yield f"{deployment.name} ({deployment.version})"
    for row in _newest(deployment, "auroc") + _newest(deployment, "dice"):
        yield "  " + _performance(row)
    moved = series(deployment, families=("input", "output", "performance"))
    yield from _moved(moved)
    states = [value.state for one in moved for value in one.values]
    yield "  drift and performance states: " + ", ".join(
        f"{states.count(state)} {state}" for state in ("act", "watch", "ok", "insufficient")
    )
    open_alarms = Alarm.objects.filter(deployment=deployment).exclude(status=Alarm.Status.CLOSED).count()
    yield f"  {open_alarms} open alarms"
    yield from _maps(deployment)
    for row in current().filter(deployment=deployment, family="generalizability").order_by("quantity", "stratum"):
        yield f"  {name_of(row.quantity)} {row.stratum.replace(';', ', ')}: {_value(row)}"


def _moved(streams: list[FindingSeries]) -> Iterator[str]:
    """The primary statistic of each stream that stands at act in its newest window, the largest first."""
    acts = [one for one in streams if one.quantity in ("w1_sd", "chi_square") and one.last.state == "act"]
    for one in sorted(acts, key=lambda one: -(one.last.value or 0))[:8]:
        place = f" at {place_name(one.stratum)}" if one.stratum else ""
        first = next(value for value in one.values if value.state == "act")
        yield (
            f"  {signal_name(one.signal)}{place}: {name_of(one.quantity)} {one.last.value:.2f}, act since "
            f"{first.start:%Y-%m-%d} (n = {one.last.n_cases})"
        )


def _newest(deployment: Deployment, quantity: str) -> list[FindingRecord]:
    """Of windows and of the reference set; what a dossier computes over its own period stands in the dossier."""
    newest: dict[str, FindingRecord] = {}
    rows = current().filter(deployment=deployment, version=deployment.version, quantity=quantity)
    for row in rows.filter(Q(window_end__isnull=False) | Q(stratum="set=reference")).order_by("window_end", "pk"):
        newest[row.stratum] = row
    return [newest[key] for key in sorted(newest)]


def _performance(row: FindingRecord) -> str:
    where = "reference set" if row.stratum == "set=reference" else row.stratum.removeprefix("site=") or "all sites"
    return f"{name_of(row.quantity)}, {where}: {_value(row)}"


def _value(row: FindingRecord) -> str:
    if row.value is None:
        return f"no value ({row.content['reason']})"
    part = row.content["interval"]
    spread = f" [{part['low']:.3f}, {part['high']:.3f}], {part['method']}" if part else ""
    return f"{row.value:.3f}{spread}, n = {row.n_cases}, {row.state}"


def _maps(deployment: Deployment) -> Iterator[str]:
    rows = Explanation.objects.filter(deployment=deployment).order_by("created_at")
    for row in rows:
        if row.status == Explanation.Status.DONE:
            checks = "; ".join(f"{signal_name(one['quantity'])} {_short(one['value'])}" for one in row.report_card)
            barred = f" (barred from dossiers: {row.barred_reason})" if row.barred_reason else ""
            yield f"  map {row.method} of case {row.case[:8]}: {checks}{barred}"
        else:
            yield f"  map {row.method} of case {row.case[:8]}: {row.get_status_display().lower()} {row.reason}"


def _short(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


def incident(subject: Incident) -> list[str]:
    """An incident with the next date that a duty sets."""
    clocks = [clock for clock in subject.clocks.all() if clock.due_at]
    lines = [f"{subject} (aware {subject.aware_at:%Y-%m-%d %H:%M} UTC), {subject.clocks.count()} reporting clocks"]
    if clocks:
        first = min(clocks, key=lambda clock: clock.due_at or subject.aware_at)
        lines.append(f"  first due: {first.duty} on {first.due_at:%Y-%m-%d %H:%M %Z}")
    return lines
