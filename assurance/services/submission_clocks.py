"""Process clocks of a submission: started, paused and stopped by its steps, each by the programme as it then was."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from assurance.models import ProcessClock, Submission
from assurance.regulation import profile_from
from assurance.submissions.clocks import Pause, Terms, due_at

WAITING = "information_requested"


def follow_step(submission: Submission, *, source: str, target: str, at: datetime) -> None:
    """Stop, pause, resume and start clocks for the step from ``source`` to ``target``."""
    for clock in submission.clocks.filter(stopped_at=None):
        if target in clock.terms["ends_in"]:
            _close_pause(clock, at)
            clock.due_at, clock.stopped_at = due(clock, now=at), at
        elif target == WAITING:
            clock.pauses = [*clock.pauses, [at.isoformat(), None]]
        elif source == WAITING:
            _close_pause(clock, at)
        clock.save()
    for rule in profile_from(submission.profile_terms).clocks:
        if target in rule.starts_in and not submission.clocks.filter(clock=rule.terms.id).exists():
            terms = asdict(rule.terms) | {"starts_in": list(rule.starts_in), "ends_in": list(rule.ends_in)}
            ProcessClock.objects.create(submission=submission, clock=rule.terms.id, terms=terms, started_at=at)


def due(clock: ProcessClock, *, now: datetime) -> datetime | None:
    """When ``clock`` runs out; None while it waits for a restart. A stopped clock keeps the moment that it had."""
    if clock.stopped_at is not None:
        return clock.due_at
    return due_at(terms_of(clock), started=clock.started_at, pauses=pauses_of(clock), now=now)


def terms_of(clock: ProcessClock) -> Terms:
    return Terms(**{name: clock.terms[name] for name in Terms.__dataclass_fields__})


def pauses_of(clock: ProcessClock) -> list[Pause]:
    return [Pause(_moment(start), _moment(end) if end else None) for start, end in clock.pauses]


def _moment(text: Any) -> datetime:
    return datetime.fromisoformat(text)


def _close_pause(clock: ProcessClock, at: datetime) -> None:
    if clock.pauses and clock.pauses[-1][1] is None:
        clock.pauses = [*clock.pauses[:-1], [clock.pauses[-1][0], at.isoformat()]]
