"""The fleet's week: in words and as PDF, by mail to those who asked for it, once for each week."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Literal

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction
from django.utils import timezone

from accounts.models import Person
from accounts.permissions import memberships, tenants_of
from accounts.row_security import seeing
from assurance.evidence.finding import State
from monitoring.models import WeeklySummary
from monitoring.selectors.charts import Stream, moved_since
from monitoring.selectors.fleet import LIMITS, Overview
from monitoring.selectors.week import Week, monday_of, week_of
from monitoring.words import capital, expected_words, name_of, number, place_name, signal_name, story
from reporting.dossier.contents import Column, Figure, Heading, Notice, Table, Text
from reporting.dossier.pdf.letter import Letter, LetterBlock, render_letter

CHARTED, WINDOWS = 12, 26  # deployments with charts, and how many of their newest windows
STATES = (("act", "to act on"), ("watch", "to watch"), ("ok", "as expected"), ("insufficient", "too few cases to tell"))


def summary_text(week: Week) -> str:
    """Plain text: the fleet worst first, what moved, and the alarms that opened."""
    lines = [f"{_counts(week)}.", ""]
    for one in week.overviews:
        lines += _paragraph(one)
    lines += [f"Alarms opened from {week.begin} to {week.last}: {len(week.opened)}"]
    lines += [f"  {alarm.deployment}: {alarm} ({alarm.get_status_display().lower()})" for alarm in week.opened]
    lines += ["", f"The fleet: {settings.BASE_URL}/", "To end this mail, open the fleet and stop the weekly mail."]
    return "\n".join(lines)


def summary_letter(week: Week, person: Person) -> Letter:
    """The same with a table, and charts of what moved."""
    where = ", ".join(sorted({str(m.organisation) for m in memberships(person)}))
    return Letter(
        title="The fleet's week", subtitle=f"{where} · {week.begin} to {week.last}", made_at=timezone.now(),
        author="Vigil", foot=f"Every number with its evidence: {settings.BASE_URL}/", blocks=tuple(_blocks(week)),
    )  # fmt: skip


def summary_pdf(week: Week, person: Person) -> bytes:
    return render_letter(summary_letter(week, person))


def send_due_summaries(*, today: date) -> int:
    """Send this week's mail to everybody who has not had it; how many went out. Safe to call often."""
    monday = monday_of(today)
    sent = 0
    for key in WeeklySummary.objects.exclude(sent_for=monday).values_list("pk", flat=True):
        with transaction.atomic():
            row = WeeklySummary.objects.select_for_update(skip_locked=True).select_related("person").filter(pk=key)
            one = row.exclude(sent_for=monday).first()
            if one is None or not memberships(one.person):
                continue
            with seeing(tenants_of(one.person)):
                week = week_of(one.person, until=monday)
            mail = EmailMessage(f"Vigil: the week until {monday}", summary_text(week), to=[one.person.email])
            mail.attach(f"vigil-week-{monday}.pdf", summary_pdf(week, one.person), "application/pdf")
            mail.send()
            one.sent_for = monday
            one.save(update_fields=("sent_for",))
            sent += 1
    return sent


def _counts(week: Week) -> str:
    told = ", ".join(f"{week.count(state)} {word}" for state, word in STATES)
    many = len(week.overviews)
    return f"{many} deployment{'' if many == 1 else 's'}: {told}"


def _paragraph(one: Overview) -> list[str]:
    if one.newest is None:
        return [f"{one.deployment}: no window yet", ""]
    head = f"{one.deployment} [{one.state.value}], window until {one.newest:%d %b %Y}, {one.alarms} open alarms"
    return [head, *(f"  {sentence}." for sentence in story(one.streams, one.contents)), ""]


def _blocks(week: Week) -> Iterator[LetterBlock]:
    worst = max((one.state for one in week.overviews), key=lambda state: state.rank, default=State.INSUFFICIENT)
    tone: Literal["info", "watch", "act"] = "act" if worst == State.ACT else "watch" if worst == State.WATCH else "info"
    opened = f"{len(week.opened)} alarm{'' if len(week.opened) == 1 else 's'} opened in these seven days."
    yield Notice(tone=tone, title=f"{_counts(week)}.", text=f"A state speaks of the newest complete window. {opened}")
    if week.overviews:
        yield Heading(text="Every deployment, worst first")
        yield _fleet_table(week)
    yield Heading(text=f"Alarms opened from {week.begin} to {week.last}")
    if week.opened:
        yield Table(
            title="", columns=[Column("State", 0.8, state=True), Column("Deployment", 1.6), Column("Alarm", 2.6),
                               Column("Opened", 1), Column("Now", 1)],
            rows=[[a.finding_state, str(a.deployment), str(a), f"{a.opened_at:%Y-%m-%d}", a.get_status_display()]
                  for a in week.opened],
        )  # fmt: skip
    else:
        yield Text(text="None.")
    moved = [one for one in week.overviews if one.state.rank >= State.WATCH.rank]
    if moved:
        yield Heading(text="What moved")
    for place, one in enumerate(moved[:CHARTED]):
        figures = list(_figures(one, place))
        if figures:
            yield Heading(text=one.deployment.name, level=3)
            for sentence in story(one.streams, one.contents, most=3):
                yield Text(text=f"{sentence}.")
            yield from figures
    if len(moved) > CHARTED:
        yield Text(text=f"Charts of {len(moved) - CHARTED} further deployments stand on their pages.", small=True)


def _fleet_table(week: Week) -> Table:
    rows = []
    for one in week.overviews:
        told = " ".join(f"{sentence}." for sentence in story(one.streams, one.contents)) if one.newest else "No window."
        cases = number(one.volume.last.value) if one.volume else "–"
        labels = f"{one.labelled[0]} of {one.labelled[1]}" if one.labelled else "none yet"
        rows.append([
            one.state.value, f"{one.deployment.name}\n{one.deployment.version}", told,
            "\n".join(filter(None, (cases, expected_words(one.volume, one.expected)))), labels, str(one.alarms),
            f"{one.newest:%Y-%m-%d}" if one.newest else "–",
        ])  # fmt: skip
    return Table(
        title="", rows=rows,
        columns=[Column("State", 0.85, state=True), Column("Deployment", 1.35), Column("What happened", 2.9),
                 Column("Cases", 0.9), Column("With truth", 0.8), Column("Open alarms", 0.6, right=True),
                 Column("Window until", 0.85)],
        note="Cases: of the newest window, against the median of the twelve before. With truth: cases of the newest "
             "window of performance whose label came in.",
    )  # fmt: skip


def _figures(one: Overview, place: int) -> Iterator[Figure]:
    """Two streams that moved most, and performance beside them."""
    moved = [s for s in one.streams if s.family != "performance" and moved_since(s.steps)][:2]
    known = [s for s in one.streams if s.family == "performance"][:1]
    for at, stream in enumerate([*moved, *known]):
        steps = [step for step in stream.steps[-WINDOWS:] if step.value is not None]
        if len(steps) > 1:
            yield _figure(stream, f"{place}-{at}")


def _figure(stream: Stream, key: str) -> Figure:
    limit = LIMITS.get(stream.quantity)
    steps = stream.steps[-WINDOWS:]
    subject = capital(signal_name(stream.signal) or name_of(stream.quantity))
    where = place_name(stream.stratum) or "all cases"
    title = f"{subject}, {where}" + (f": {name_of(stream.quantity)}" if stream.signal else "")
    last = stream.last
    return Figure(
        id=key, chart="timeline", title=title, evidence=[],
        text=f"{len(steps)} windows; the newest ends on {last.end:%Y-%m-%d}: {number(last.value)}"
             f"{f' {stream.unit}' if stream.unit else ''}, n = {last.n_cases}, {last.state}.",
        data={
            "points": [{"start": s.start.isoformat(), "end": s.end.isoformat(), "value": s.value, "state": s.state}
                       for s in steps],
            "zero": limit is not None, "watch": limit.watch if limit else None, "act": limit.act if limit else None,
        },
    )  # fmt: skip
