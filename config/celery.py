"""The Celery application; ``celery -A config.celery worker`` starts from here."""

import os
from typing import Any

from celery import Celery
from celery.signals import celeryd_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("vigil")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@celeryd_init.connect
def share_the_cores(options: dict[str, Any] | None = None, **_: object) -> None:
    """Each process of a worker gets its part of the cores; torch reads this when it is loaded, in the process."""
    processes = int((options or {}).get("concurrency") or 1)
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // processes)))
