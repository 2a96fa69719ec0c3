"""Waiting for background work while the supervisor keeps the workers alive."""

import time
from collections.abc import Callable

from django.db.models import Q

from assurance.models import Job
from config.health import QUEUES
from config.supervisor import Supervisor, say

OPEN = Q(status__in=[Job.Status.QUEUED, Job.Status.RUNNING])


def wait_for_jobs(
    supervisor: Supervisor, *, what: str, limit_s: float, tell: Callable[[str], None] = say,
    queues: tuple[str, ...] = QUEUES,
) -> None:  # fmt: skip
    """Return when no job of ``queues`` is open; a job that failed stays on the page of jobs with its reason.

    Raises
    ------
    TimeoutError
        Work is still open after ``limit_s``; the message names it.
    """
    until = time.monotonic() + limit_s
    shown = ""
    while True:
        rows = list(
            Job.objects.filter(OPEN, queue__in=queues)
            .order_by("queued_at")
            .values_list("title", "status", "done_steps", "all_steps")
        )
        if not rows:
            return
        running = [row for row in rows if row[1] == Job.Status.RUNNING] or rows
        title, _, done, of = running[0]
        line = f"  {what}: {len(rows)} jobs open, {title[:70]}" + (f" {done}/{of}" if of else "")
        if line != shown:
            tell(line)
            shown = line
        if time.monotonic() > until:
            raise TimeoutError(f"{what}: still open after {limit_s:g} s: {', '.join(row[0] for row in rows[:5])}")
        supervisor.tend()
        time.sleep(1)


def failed_jobs() -> list[str]:
    return [
        f"{title}: {reason}"
        for title, reason in Job.objects.filter(status=Job.Status.FAILED).values_list("title", "reason")
    ]
