"""Server time, statements and weight of the two pages that are opened most, with millions of predictions behind them.

Sizes come from the environment: VIGIL_BENCH_PREDICTIONS (10,000,000), VIGIL_BENCH_DEPLOYMENTS (50), VIGIL_BENCH_WEEKS
(104), VIGIL_BENCH_SIGNALS (30), VIGIL_BENCH_VISITS (40). The data are made inside PostgreSQL, once, in an instance of
its own under ``var/bench`` (VIGIL_BENCH_HOME), and used again by later runs of the same sizes.
"""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
GOAL_MS, GOAL_STATEMENTS, GOAL_KB = 150.0, 25, 400.0


def size(name: str, default: int) -> int:
    return int(os.environ.get(f"VIGIL_BENCH_{name}", default))


def results() -> Iterator[dict[str, Any]]:
    os.environ["VIGIL_HOME"] = os.environ.get("VIGIL_BENCH_HOME", str(ROOT / "var" / "bench"))
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    for name in ("DATABASE_URL", "REDIS_URL"):
        os.environ.pop(name, None)
    from config import embedded
    from config.supervisor import prepare

    with embedded.services():
        prepare()
        import django

        django.setup()
        from scripts.fill_fleet import fill

        counts = fill(
            predictions=size("PREDICTIONS", 10_000_000), deployments=size("DEPLOYMENTS", 50),
            weeks=size("WEEKS", 104), signals=size("SIGNALS", 30), say=_say,
        )  # fmt: skip
        yield from _visits(counts)


def _visits(counts: dict[str, int]) -> Iterator[dict[str, Any]]:
    from django.conf import settings
    from django.contrib.auth import get_user_model
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    from assurance.models import Deployment

    client = Client(headers={"host": settings.ALLOWED_HOSTS[0]})
    client.force_login(get_user_model().objects.get(email="bench@hospital.example"))
    subject = Deployment.objects.earliest("slug")
    pages = {"fleet": "/", "deployment": f"/deployments/{subject.slug}"}
    for name, address in pages.items():
        for _ in range(3):
            answer = client.get(address)
        if answer.status_code != 200:
            raise RuntimeError(f"{address} answered {answer.status_code}")
        spans, works = [], []
        for _ in range(size("VISITS", 40)):
            begun, worked = time.perf_counter(), time.process_time()
            answer = client.get(address)
            spans.append(1000 * (time.perf_counter() - begun))
            works.append(1000 * (time.process_time() - worked))
        with CaptureQueriesContext(connection) as statements:
            client.get(address)
        low, middle, high = np.quantile(spans, [0.05, 0.5, 0.95])
        facts = {"n": counts["predictions"], "behind": counts}
        yield {"name": f"{name} page, p50 server time", "value": round(middle, 1), "unit": "ms", **facts}
        yield {
            "name": f"{name} page, processor time of the web process (p50), whatever else the machine does",
            "value": round(float(np.median(works)), 1), "unit": "ms", "least": round(min(works), 1), **facts,
        }  # fmt: skip
        yield {
            "name": f"{name} page, p95 server time", "value": round(high, 1), "unit": "ms", "peer": f"goal {GOAL_MS:g}",
            "ratio": round(high / GOAL_MS, 3), "p05": round(low, 1), **facts,
        }  # fmt: skip
        yield {
            "name": f"{name} page, statements", "value": len(statements), "unit": "SQL statements",
            "peer": f"goal under {GOAL_STATEMENTS}", "ratio": round(len(statements) / GOAL_STATEMENTS, 3), **facts,
        }  # fmt: skip
        weight = len(answer.content) / 1000
        yield {
            "name": f"{name} page, weight", "value": round(weight, 1), "unit": "kB", "peer": f"goal under {GOAL_KB:g}",
            "ratio": round(weight / GOAL_KB, 3), "with_style_and_scripts": round(weight + _shared_kb(), 1), **facts,
        }  # fmt: skip


def _shared_kb() -> float:
    """Style and scripts that a first visit loads as well."""
    import django_htmx

    folders = (ROOT / "static", Path(django_htmx.__file__).parent / "static" / "django_htmx")
    files = [*folders[0].glob("*.css"), *folders[0].glob("vigil*.js"), folders[1] / "htmx.min.js"]
    return sum(path.stat().st_size for path in files if path.exists()) / 1000


def _say(text: str) -> None:
    print(f"bench pages: {text}", file=sys.stderr, flush=True)
