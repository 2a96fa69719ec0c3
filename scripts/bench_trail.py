"""Sixteen people change things at once: how many audited changes a second, beside a chain kept inside each change.

Each change is a transaction that writes one event and then works on for ten milliseconds, as a request does. Ours
inserts the event and gives it its place in the chain after the commit; the peer, the plain way to keep a hash chain,
takes a lock, reads the last link and holds the lock until its transaction ends. The peer stores no row at all, which
favours it. Our chain is walked afterwards.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
WRITERS = 16
CHANGES = int(os.environ.get("VIGIL_BENCH_CHANGES", 25))
WORK_S = 0.010
PEER_LOCK = 7_283_900


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
        yield from _measure()


def _measure() -> Iterator[dict[str, Any]]:
    from records.services import seal_events
    from records.verify import verify_trail

    seal_events()
    alone = _rate(_change, writers=1)
    together = _rate(_change, writers=WRITERS)
    seal_events()
    report = verify_trail()
    if report.broken or report.open_events:
        raise RuntimeError(f"the chain does not hold: {report.broken or f'{report.open_events} events open'}")
    peer = _rate(_peer_change, writers=WRITERS)
    yield {
        "name": "audited changes, one writer", "value": round(alone, 1), "unit": "changes/s", "n": CHANGES,
    }  # fmt: skip
    yield {
        "name": f"audited changes, {WRITERS} writers, one unbroken chain", "value": round(together, 1),
        "unit": "changes/s", "n": WRITERS * CHANGES, "peer": f"chain inside each transaction: {peer:.1f} changes/s",
        "ratio": round(together / peer, 2),
    }  # fmt: skip
    start = time.perf_counter()
    links = verify_trail().links
    seconds = time.perf_counter() - start
    yield {"name": "vigil audit verify", "value": round(links / seconds), "unit": "events/s", "n": links}


def _rate(change: Callable[[], None], *, writers: int) -> float:
    """Changes a second over all writers, each in a thread with its own connection."""
    from django.db import connection

    errors: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(CHANGES):
                change()
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(writers)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return writers * CHANGES / (time.perf_counter() - start)


def _change() -> None:
    from django.db import transaction

    from records.actor import SYSTEM
    from records.services import record_event

    with transaction.atomic():
        record_event(action="bench.change", subject=None, by=SYSTEM, old={"n": 1}, new={"n": 2})
        time.sleep(WORK_S)


def _peer_change() -> None:
    """The same hashes and work, with the chain's end locked from its reading to the commit."""
    from django.db import connection, transaction

    from records.chain import FIRST, event_sha256, link_sha256

    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [PEER_LOCK])
        previous = _PEER_END.get("sha256", FIRST)
        event = event_sha256({"action": "bench.change", "old": {"n": 1}, "new": {"n": 2}})
        cursor.execute("SELECT clock_timestamp()")
        _PEER_END["sha256"] = link_sha256(previous=previous, position=1, event=event)
        time.sleep(WORK_S)


_PEER_END: dict[str, str] = {}
