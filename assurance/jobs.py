"""Background work that survives a dead worker, broker or database.

The row is the truth. A running job holds a session lock of PostgreSQL, which ends with its worker's connection: a
running row without its lock is a lost job, and is sent again. Messages carry the job's id only, so a message that comes
twice finds a claimed or finished row and does nothing.
"""

import functools
import logging
import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from celery import shared_task, signature
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import F, Q
from django.utils import timezone

from accounts.row_security import EVERYTHING, seeing
from assurance.evidence.errors import Refusal, Unavailable
from assurance.models import Job

log = logging.getLogger(__name__)
MOST_ATTEMPTS = 5
SEND_AGAIN_AFTER = timedelta(minutes=2)


def start_job(
    task: str, *, queue: str, title: str, arguments: dict[str, Any], organisation_id: int | None = None
) -> Job:
    """Write the job and send it once the surrounding transaction is committed. ``arguments`` holds keys only."""
    job = Job.objects.create(
        task=task, queue=queue, title=title, arguments=arguments, organisation_id=organisation_id,
        lock=secrets.randbits(62),
    )  # fmt: skip
    transaction.on_commit(lambda: send(job))
    return job


def send(job: Job) -> None:
    """Hand the job to its queue. A broker that is away is no loss: the beat sends it again."""
    try:
        signature(job.task, args=[str(job.id)]).apply_async(queue=job.queue, retry=False)
    except Exception as error:  # every transport has its own errors
        log.warning("job %s could not be sent: %s", job.id, error)
        return
    Job.objects.filter(pk=job.pk, status=Job.Status.QUEUED).update(sent_at=timezone.now())


def job_task(name: str) -> Callable[[Callable[..., None]], Any]:
    """Make ``function(job, **arguments)`` the Celery task ``name`` that runs a claimed job to its end."""

    def wrap(function: Callable[..., None]) -> Any:
        @shared_task(name=name, autoretry_for=(OperationalError, InterfaceError), retry_backoff=2, max_retries=8)
        @functools.wraps(function)
        def run(job_id: str) -> None:
            _run(job_id, function)

        return run

    return wrap


def _run(job_id: str, function: Callable[..., None]) -> None:
    job = Job.objects.filter(pk=job_id).first()
    if job is None or not _try_lock(job):
        return
    try:
        job.refresh_from_db()
        if job.status not in (Job.Status.QUEUED, Job.Status.RUNNING):
            return
        Job.objects.filter(pk=job.pk).update(
            status=Job.Status.RUNNING, attempts=F("attempts") + 1, started_at=timezone.now(), reason=""
        )
        job.refresh_from_db()
        _work(job, function)
    finally:
        _unlock(job)


def _work(job: Job, function: Callable[..., None]) -> None:
    try:
        with seeing(EVERYTHING if job.organisation_id is None else [job.organisation_id]):
            function(job, **job.arguments)
    except Unavailable as refusal:
        again = job.attempts < MOST_ATTEMPTS
        _end(job, Job.Status.QUEUED if again else Job.Status.FAILED, reason=refusal.message)
    except (OperationalError, InterfaceError) as error:  # the database was away; it may be back by now
        again = job.attempts < MOST_ATTEMPTS
        _end(job, Job.Status.QUEUED if again else Job.Status.FAILED, reason=f"the database was away: {error}")
    except Refusal as refusal:
        _end(job, Job.Status.FAILED, reason=refusal.message)
    except Exception as error:
        log.exception("job %s (%s) failed", job.id, job.title)
        _end(job, Job.Status.FAILED, reason=f"{type(error).__name__}: {error}")
    else:
        _end(job, Job.Status.DONE)


def _end(job: Job, status: Any, *, reason: str = "") -> None:
    ended = None if status == Job.Status.QUEUED else timezone.now()
    Job.objects.filter(pk=job.pk, status=Job.Status.RUNNING).update(
        status=status, reason=reason[:2000], finished_at=ended, sent_at=ended and job.sent_at
    )


def report_progress(job: Job, *, done: int, of: int, step: str = "") -> None:
    """Show how far the job is; raises ``Cancelled`` when a person has stopped it meanwhile."""
    running = Job.objects.filter(pk=job.pk, status=Job.Status.RUNNING)
    if not running.update(done_steps=done, all_steps=of, step=step[:200]):
        raise Cancelled("cancelled", f"{job.title} was cancelled")


class Cancelled(Refusal):
    """A person stopped the work; what was written stays valid, nothing more is written."""


def cancel(job: Job) -> bool:
    """Stop a queued or running job at its next step; True when there was something to stop."""
    open_states = (Job.Status.QUEUED, Job.Status.RUNNING)
    stopped = Job.objects.filter(pk=job.pk, status__in=open_states)
    return bool(stopped.update(status=Job.Status.CANCELLED, finished_at=timezone.now()))


def resend_lost_jobs() -> int:
    """Send again what no worker holds: running jobs whose lock is free, and queued ones whose message may be lost."""
    now = timezone.now()
    sent = 0
    for job in Job.objects.filter(status=Job.Status.RUNNING):
        if _try_lock(job):
            try:
                lost = Job.objects.filter(pk=job.pk, status=Job.Status.RUNNING)
                failed = job.attempts >= MOST_ATTEMPTS and lost.update(
                    status=Job.Status.FAILED, finished_at=now, reason=f"its worker ended {job.attempts} times"
                )
                if not failed and lost.update(status=Job.Status.QUEUED, sent_at=None):
                    sent += 1
            finally:
                _unlock(job)
    waiting = Q(sent_at=None, queued_at__lt=now - timedelta(seconds=5)) | Q(sent_at__lt=now - SEND_AGAIN_AFTER)
    for job in Job.objects.filter(waiting, status=Job.Status.QUEUED):
        send(job)
    return sent


def _try_lock(job: Job) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [job.lock])
        return bool(cursor.fetchone()[0])


def _unlock(job: Job) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_unlock(%s)", [job.lock])
