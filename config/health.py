"""Is it alive, is it ready, what does it count: for load balancers, operators and Prometheus."""

from collections.abc import Callable

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

from assurance.models import Job
from config.celery import app

QUEUES = ("ingest", "statistics", "inference", "reports")


def process(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"status": "ok"})


def ready(request: HttpRequest) -> HttpResponse:
    """200 when database, broker and a worker for each queue answer; 503 names what does not."""
    parts = {"database": _answer(_database), "broker": _answer(_broker)}
    parts["workers"] = _answer(_workers) if parts["broker"] == "ok" else "the broker is away"
    good = all(state == "ok" for state in parts.values())
    return JsonResponse({"status": "ok" if good else "not ready", **parts}, status=200 if good else 503)


def metrics(request: HttpRequest) -> HttpResponse:
    registry = CollectorRegistry()
    jobs = Gauge("vigil_jobs", "Jobs by queue and status", ("queue", "status"), registry=registry)
    for queue in QUEUES:
        for status in (Job.Status.QUEUED, Job.Status.RUNNING, Job.Status.FAILED):
            jobs.labels(queue, status).set(Job.objects.filter(queue=queue, status=status).count())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _answer(check: Callable[[], str]) -> str:
    try:
        return check()
    except (DatabaseError, redis.RedisError, OSError) as error:
        return f"{type(error).__name__}: {error}".splitlines()[0]


def _database() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return "ok"


def _broker() -> str:
    redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2).ping()
    return "ok"


def _workers() -> str:
    answers = app.control.inspect(timeout=1).active_queues() or {}
    served = {queue["name"] for queues in answers.values() for queue in queues}
    missing = [queue for queue in QUEUES if queue not in served]
    return f"no worker serves {', '.join(missing)}" if missing else "ok"
