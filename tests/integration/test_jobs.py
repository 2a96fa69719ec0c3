"""Background work: done once, never lost, its failures kept with their reason."""

from datetime import timedelta

import psycopg
import pytest
from django.db import connection
from django.utils import timezone

from assurance import jobs
from assurance.evidence.errors import InvalidInput, Unavailable
from assurance.models import Job

RUNS: list[str] = []


@jobs.job_task("tests.work")
def work(job: Job, *, word: str) -> None:
    RUNS.append(word)
    jobs.report_progress(job, done=1, of=2, step="half")
    if word == "refuse":
        raise InvalidInput("bad_word", "word 'refuse' is not allowed: give another")
    if word == "away":
        raise Unavailable("away", "the weights are away")
    if word == "crash":
        raise RuntimeError("broken")


@pytest.fixture(autouse=True)
def no_runs_yet():
    RUNS.clear()


def start(word: str, callbacks) -> Job:
    with callbacks(execute=True):
        job = jobs.start_job("tests.work", queue="statistics", title=word, arguments={"word": word})
    job.refresh_from_db()
    return job


@pytest.mark.django_db
def test_a_job_runs_after_the_commit_and_is_done_once(django_capture_on_commit_callbacks):
    job = start("good", django_capture_on_commit_callbacks)
    assert (job.status, job.attempts, job.step, job.percent) == (Job.Status.DONE, 1, "half", 50)
    work.apply(args=[str(job.id)])  # the same message again
    assert RUNS == ["good"]


@pytest.mark.django_db
def test_a_refusal_is_a_stored_outcome(django_capture_on_commit_callbacks):
    job = start("refuse", django_capture_on_commit_callbacks)
    assert job.status == Job.Status.FAILED
    assert job.reason == "word 'refuse' is not allowed: give another"


@pytest.mark.django_db
def test_a_crash_is_a_stored_outcome_and_no_lock_stays(django_capture_on_commit_callbacks):
    job = start("crash", django_capture_on_commit_callbacks)
    assert job.status == Job.Status.FAILED
    assert job.reason == "RuntimeError: broken"
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
        assert cursor.fetchone()[0] == 0


@pytest.mark.django_db
def test_what_is_away_is_tried_again_and_given_up_after_five_times(django_capture_on_commit_callbacks):
    job = start("away", django_capture_on_commit_callbacks)
    assert job.status == Job.Status.QUEUED
    for _ in range(4):
        work.apply(args=[str(job.id)])
    job.refresh_from_db()
    assert (job.status, job.attempts, job.reason) == (Job.Status.FAILED, 5, "the weights are away")


@pytest.mark.django_db
def test_a_cancelled_job_stops_at_its_next_step():
    job = jobs.start_job("tests.work", queue="statistics", title="x", arguments={"word": "good"})
    Job.objects.filter(pk=job.pk).update(status=Job.Status.RUNNING)
    assert jobs.cancel(job)
    with pytest.raises(jobs.Cancelled):
        jobs.report_progress(job, done=1, of=2)


@pytest.mark.django_db(transaction=True)
def test_only_a_running_job_whose_worker_is_gone_is_sent_again():
    held = Job.objects.create(task="tests.work", queue="statistics", title="held", lock=11, status=Job.Status.RUNNING)
    lost = Job.objects.create(
        task="tests.work", queue="statistics", title="lost", lock=12, status=Job.Status.RUNNING,
        arguments={"word": "found"}, queued_at=timezone.now() - timedelta(minutes=1),
    )  # fmt: skip
    settings = connection.get_connection_params()
    names = {"dbname", "user", "password", "host", "port"}
    with psycopg.connect(**{key: settings[key] for key in names & set(settings)}) as worker:
        worker.execute("SELECT pg_advisory_lock(11)")  # what a living worker's session holds
        assert jobs.resend_lost_jobs() == 1
    held.refresh_from_db()
    lost.refresh_from_db()
    assert held.status == Job.Status.RUNNING
    assert lost.status == Job.Status.DONE
    assert RUNS == ["found"]
