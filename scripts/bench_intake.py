"""Rows a second through the intake, beside plain ORM inserts and beside bare COPY, all in one run on one machine.

Run by ``make bench`` or alone by ``python -m scripts.bench_intake [ROWS]``, in a database of its own.
"""

import io
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROWS = 100_000
PLAIN_ROWS = 5_000
ROUNDS = 3
PLAIN = "pydantic schema of django-ninja + bulk_create, no day states"
LIMIT = "bare COPY of the same columns into a table without index"
SITES = ("north", "south")


def results(rows: int = ROWS) -> Iterator[dict[str, Any]]:
    """Rows/s of each way in beside the plain way and the COPY limit; then ratios of the same run, and memory."""
    with _database():
        yield from _measured(rows)


def _measured(rows: int) -> Iterator[dict[str, Any]]:
    import numpy as np

    from monitoring.services.day_states import summarise_batch
    from monitoring.services.intake import accept_batch

    speed: dict[str, float] = {}
    work: dict[
        str, float
    ] = {}  # seconds of processor for one row, here and in the server: other programs matter little
    sizes: dict[str, int] = {}

    def record(name: str, n: int, since: tuple[float, float]) -> None:
        now = _moment()
        speed[name], sizes[name] = max(speed.get(name, 0), n / (now[0] - since[0])), n
        work[name] = min(work.get(name, np.inf), (now[1] - since[1]) / n)

    # Every process pays once for loading code and for the first use of each statement; that is not what is measured.
    accept_batch(_deployment("warm"), content=_parquet(2_000, start=0), media_type="application/x-parquet")
    plain = _json(PLAIN_ROWS)
    contents = {
        "json": (_json(rows), "application/json"), "ndjson": (_ndjson(rows), "application/x-ndjson"),
        "csv": (_csv(rows), "text/csv"), "parquet": (_parquet(rows, start=0), "application/x-parquet"),
    }  # fmt: skip
    # The best of several rounds, each with every way in: other work on the machine then harms all of them alike.
    for turn in range(ROUNDS):
        start = _moment()
        _plain_ninja_and_orm(_deployment(f"plain {turn}"), plain)
        record(PLAIN, PLAIN_ROWS, start)
        speed[LIMIT], sizes[LIMIT] = max(speed.get(LIMIT, 0), rows / _bare_copy(rows)), rows
        for name, (content, media_type) in contents.items():
            deployment = _deployment(f"{name} {turn}")
            start = _moment()
            batch = accept_batch(deployment, content=content, media_type=media_type)
            record(f"{name}: stored once", rows, start)
            summarise_batch(batch.pk)
            record(f"{name}: with day states", rows, start)
            if batch.accepted != rows:
                raise RuntimeError(f"{batch.accepted} of {rows} rows went in")
    for name, found in speed.items():
        yield {"name": f"intake, {name}", "value": round(found), "unit": "rows/s", "n": sizes[name]}
    began = time.perf_counter()
    again = accept_batch(
        _last, content=_parquet(rows, start=0), media_type="application/x-parquet", idempotency_key="2"
    )
    seconds = time.perf_counter() - began
    yield {"name": "intake, parquet: all known already", "value": round(rows / seconds), "unit": "rows/s", "n": rows}
    if again.duplicates != rows:
        raise RuntimeError(f"{again.duplicates} of {rows} rows were found known")
    yield _kept_safe(rows)
    for peer in (PLAIN, LIMIT):
        for name in ("json", "ndjson", "csv", "parquet"):
            own = speed[f"{name}: with day states"]
            line = {"name": f"intake, {name}: with day states", "value": round(own), "unit": "rows/s", "n": rows,
                    "peer": peer, "ratio": round(own / speed[peer], 2)}  # fmt: skip
            if peer in work:
                line["ratio_of_processor_time"] = round(work[peer] / work[f"{name}: with day states"], 2)
            yield line
    for times in (2, 10):
        yield {"name": "intake, peak memory of a Parquet file above an idle process", "unit": "MB",
               "value": _peak_mb(50_000 * times), "n": 50_000 * times}  # fmt: skip


def _moment() -> tuple[float, float]:
    """The clock, and the seconds of processor that this process and its server's backend have used."""
    from django.db import connection

    used = time.process_time()
    if (stat := Path(f"/proc/{connection.connection.info.backend_pid}/stat")).exists():
        fields = stat.read_text().rpartition(")")[2].split()
        used += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return time.perf_counter(), used


def _kept_safe(rows: int) -> dict[str, Any]:
    """How long a request with a large body waits for its answer: until the bytes and the job are on the disk."""
    from django.conf import settings

    from monitoring.services.receiving import receive_batch, work_through

    content = _csv(rows)
    source = io.BytesIO(content)
    settings.INTAKE_AT_ONCE_BYTES = 0
    start = time.perf_counter()
    batch = receive_batch(_deployment("kept"), source=source, media_type="text/csv")
    seconds = time.perf_counter() - start
    work_through(batch.pk)
    size = round(len(content) / 2**20, 1)
    name = f"intake, {size} MiB of CSV kept safe and answered"
    return {"name": name, "value": round(1000 * seconds, 1), "unit": "ms",
            "n": rows}  # fmt: skip


def _peak_mb(rows: int) -> float:
    """Peak of a process that reads, checks and stores a file of ``rows`` rows, above one that only has started."""
    path = Path(tempfile.gettempdir()) / f"vigil-bench-{os.getpid()}.parquet"
    try:
        path.write_bytes(_parquet(rows, start=10_000_000 + 10 * rows))
        peaks = []
        for file in ("", str(path)):
            answer = subprocess.run(
                [sys.executable, "-m", "scripts.bench_intake", "--peak", file],
                capture_output=True,
                text=True,
                check=True,
            )
            peaks.append(float(answer.stdout.split()[-1]))
        return round(peaks[1] - peaks[0], 1)
    finally:
        path.unlink(missing_ok=True)


def _peak(file: str) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    os.environ.setdefault("REDIS_URL", "memory://")
    import django

    django.setup()
    from django.db import connection

    from monitoring.services.receiving import accept_file
    from tests import factories

    connection.settings_dict["NAME"] = "vigil_bench"
    for factory in vars(factories).values():  # names of another process must not meet those of this one
        if getattr(factory, "__module__", "") == factories.__name__ and hasattr(factory, "reset_sequence"):
            factory.reset_sequence(1000 * os.getpid())
    deployment = _deployment("peak")
    if file:
        accept_file(deployment, Path(file), media_type="application/x-parquet")
    # Not getrusage: its peak is inherited from the process that started this one.
    print(int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024)  # type: ignore[index]


_last: Any = None


def _deployment(name: str) -> Any:
    global _last
    from tests.factories import DeploymentFactory, SiteFactory

    deployment = DeploymentFactory(name=f"Bench {name}")
    for code in SITES:
        deployment.sites.add(SiteFactory(organisation=deployment.organisation, code=code))
    _last = deployment
    return deployment


def _columns(rows: int, *, start: int) -> dict[str, Any]:
    import numpy as np

    rng = np.random.default_rng(7)
    moments = np.datetime64("2026-01-01T08:00:00") + rng.integers(0, 56 * 86_400, rows).astype("timedelta64[s]")
    return {
        "case_id": [f"case-{start + at}" for at in range(rows)],
        "patient_id": [f"patient-{(start + at) // 3}" for at in range(rows)],
        "study_time": [f"{moment}Z" for moment in moments], "site": np.array(SITES)[rng.integers(0, 2, rows)].tolist(),
        "score": rng.beta(2, 5, rows).tolist(), "meta_sex": np.array(["F", "M"])[rng.integers(0, 2, rows)].tolist(),
        "meta_manufacturer": np.array(["A", "B", "C"])[rng.integers(0, 3, rows)].tolist(),
        "meta_age": rng.integers(18, 95, rows).astype(float).tolist(), "q_snr": rng.normal(30, 5, rows).tolist(),
        "q_noise_sd": rng.gamma(2, 4, rows).tolist(),
    }  # fmt: skip


def _records(rows: int) -> list[dict[str, Any]]:
    columns = _columns(rows, start=0)
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def _json(rows: int) -> bytes:
    return json.dumps(_records(rows)).encode()


def _ndjson(rows: int) -> bytes:
    return "\n".join(map(json.dumps, _records(rows))).encode()


def _csv(rows: int) -> bytes:
    import pyarrow as pa
    import pyarrow.csv as pacsv

    buffer = io.BytesIO()
    pacsv.write_csv(pa.table(_columns(rows, start=0)), buffer)
    return buffer.getvalue()


def _parquet(rows: int, *, start: int) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(pa.table(_columns(rows, start=start)), buffer, compression="lz4", row_group_size=50_000)
    return buffer.getvalue()


def _plain_ninja_and_orm(deployment: Any, content: bytes) -> None:
    """What a plain application does: validate rows with a schema, make objects, ``bulk_create``. No day states."""
    from datetime import datetime

    from django.db import connection
    from django.utils import timezone
    from ninja import Schema
    from pydantic import TypeAdapter

    from monitoring.models import Prediction, PredictionBatch

    class Row(Schema):
        case_id: str
        patient_id: str
        study_time: datetime
        site: str
        score: float
        meta_sex: str
        meta_manufacturer: str
        meta_age: float
        q_snr: float
        q_noise_sd: float

    rows = TypeAdapter(list[Row]).validate_json(content)
    batch = PredictionBatch.objects.create(
        organisation_id=deployment.organisation_id, deployment=deployment, idempotency_key="plain",
        content_sha256="0" * 64,
    )  # fmt: skip
    with connection.cursor() as cursor:
        for month in {row.study_time.strftime("%Y-%m-01") for row in rows}:
            cursor.execute("SELECT vigil_prediction_month(%s::date)", [month])
    now = timezone.now()
    Prediction.objects.bulk_create(
        [
            Prediction(
                deployment=deployment, organisation_id=deployment.organisation_id, version_id=deployment.version_id,
                batch=batch, case=row.case_id, patient=row.patient_id, study_time=row.study_time, received_at=now,
                site=row.site, score=row.score, numbers=[row.meta_age, row.q_snr, row.q_noise_sd],
                levels=[row.meta_sex, row.meta_manufacturer],
            )
            for row in rows
        ],
        batch_size=2000,
    )  # fmt: skip


def _bare_copy(rows: int) -> float:
    """Seconds for the same values into a table without index, checks or partitions: what the server takes at most."""
    import pyarrow as pa
    from django.db import connection

    from monitoring.columns import copy_in

    table = pa.table(_columns(rows, start=0))
    kinds = ["text", "text", "timestamptz", "text", "float8", "text", "text", "float8", "float8", "float8"]
    names = ", ".join(f'"{name}" {kind}' for name, kind in zip(table.column_names, kinds, strict=True))
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS bench_copy")
        cursor.execute(f"CREATE TABLE bench_copy ({names})")
    start = time.perf_counter()
    copy_in("bench_copy", table)
    return time.perf_counter() - start


class _database:  # noqa: N801 -- used as a function
    """A database of its own on the server that the suite uses, gone afterwards."""

    def __enter__(self) -> None:
        os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
        os.environ.setdefault("REDIS_URL", "memory://")  # jobs are called by hand here
        import django

        django.setup()
        from django.conf import settings
        from django.db import connection

        from config.embedded import EmbeddedPostgres

        self.server = None
        if settings.OWN_DATABASE:
            server = EmbeddedPostgres()
            if not server.running():
                server.start()
                self.server = server
        connection.settings_dict["TEST"]["NAME"] = "vigil_bench"
        self.name = connection.creation.create_test_db(verbosity=0, autoclobber=True, serialize=False)

    def __exit__(self, *error: object) -> None:
        from django.db import connection

        connection.creation.destroy_test_db("postgres", verbosity=0)
        connection.close()
        if self.server is not None:
            self.server.stop()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--peak"]:
        _peak(sys.argv[2])
    else:
        for one in results(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS):
            print(json.dumps(one), flush=True)
