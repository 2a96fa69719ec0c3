"""The fleet's week in words, by mail to those who asked for it, once for each week."""

from __future__ import annotations

from datetime import date, timedelta

from django.conf import settings
from django.core.mail import EmailMessage
from django.db import transaction

from accounts.models import Person
from accounts.permissions import memberships
from assurance.selectors.deployments import visible_deployments
from monitoring.models import Alarm, WeeklySummary
from monitoring.selectors.fleet import Overview, overviews
from monitoring.words import story


def monday_of(day: date) -> date:
    return day - timedelta(days=day.weekday())


def summary_text(person: Person, *, week: date) -> str:
    """Plain text: the fleet worst first, what moved, and the alarms opened in the week before ``week`` (a Monday)."""
    found = overviews(list(visible_deployments(person)))
    by_state = {state: sum(one.state == state for one in found) for state in ("act", "watch", "ok", "insufficient")}
    lines = [
        f"{len(found)} deployments: {by_state['act']} to act on, {by_state['watch']} to watch, {by_state['ok']} as "
        f"expected, {by_state['insufficient']} with too few cases to tell.", "",
    ]  # fmt: skip
    begin = week - timedelta(days=7)
    opened = Alarm.objects.filter(
        deployment__in=[one.deployment.pk for one in found], opened_at__date__gte=begin, opened_at__date__lt=week
    ).select_related("deployment")  # fmt: skip
    for one in found:
        lines += _paragraph(one)
    lines += [f"Alarms opened from {begin} to {week - timedelta(days=1)}: {len(opened)}"]
    lines += [f"  {alarm.deployment}: {alarm} ({alarm.get_status_display().lower()})" for alarm in opened]
    lines += ["", f"The fleet: {settings.BASE_URL}/", "To end this mail, open the fleet and stop the weekly mail."]
    return "\n".join(lines)


def _paragraph(one: Overview) -> list[str]:
    if one.newest is None:
        return [f"{one.deployment}: no window yet", ""]
    head = f"{one.deployment} [{one.state.value}], window until {one.newest:%d %b %Y}, {one.alarms} open alarms"
    return [head, *(f"  {sentence}." for sentence in story(one.streams, one.contents)), ""]


def send_due_summaries(*, today: date) -> int:
    """Send this week's mail to everybody who has not had it; how many went out. Safe to call often."""
    week = monday_of(today)
    sent = 0
    for key in WeeklySummary.objects.exclude(sent_for=week).values_list("pk", flat=True):
        with transaction.atomic():
            row = WeeklySummary.objects.select_for_update(skip_locked=True).select_related("person").filter(pk=key)
            one = row.exclude(sent_for=week).first()
            if one is None or not memberships(one.person):
                continue
            text = summary_text(one.person, week=week)
            EmailMessage(f"Vigil: the week until {week}", text, to=[one.person.email]).send()
            one.sent_for = week
            one.save(update_fields=("sent_for",))
            sent += 1
    return sent
