"""One Parquet file of millions of rows, stored with its day states: peak memory on the way. Run on an empty instance.

``python -m scripts.evidence_large_file [ROWS] [REPORT.md]`` with VIGIL_HOME at a folder of its own: it starts the
embedded servers there, writes the file piece by piece, takes it in through the file door and asks the tables.
"""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

PIECE = 50_000
MARKS = (1_000_000, 2_500_000, 5_000_000)


def main(rows: int = 5_000_000, report: str = "") -> None:
    from config import embedded

    with embedded.services():
        owner = {**os.environ, "DATABASE_URL": embedded.database_url(role=embedded.OWNER)}
        subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity", "0"], env=owner, check=True)
        os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"  # and from here the application's role, as in use
        import django

        django.setup()
        result = _measured(rows)
    print(json.dumps(result, indent=1))
    if report:
        Path(report).write_text(_page(result))


def _measured(rows: int) -> dict[str, Any]:
    from django.db import connection

    from accounts.row_security import see_everything
    from config import home
    from monitoring.models import DayState
    from monitoring.services.day_states import summarise_batch
    from monitoring.services.receiving import accept_file
    from scripts import bench_intake

    see_everything()
    path = home.var("large.parquet")
    _write(path, rows)
    deployment = bench_intake._deployment("large")
    # What every process pays once is not memory of the file.
    small = home.var("small.parquet")
    _write(small, 2_000, start=rows)
    summarise_batch(accept_file(deployment, small, media_type="application/x-parquet").pk)
    started = time.perf_counter()
    peaks = {0: _peak_mb()}

    def progress(done: int, of: int, step: str) -> None:
        read = int(step.split()[0])
        peaks.update({mark: _peak_mb() for mark in (*MARKS, rows) if read >= mark and mark not in peaks})
        if read % 500_000 == 0:
            print(f"{step}; peak {_peak_mb():.0f} MB, {time.perf_counter() - started:.0f} s", file=sys.stderr)

    size = path.stat().st_size
    batch = accept_file(deployment, path, media_type="application/x-parquet", progress=progress)
    stored_s = time.perf_counter() - started
    summarise_batch(batch.pk)
    peaks[-1] = _peak_mb()
    with connection.cursor() as cursor:
        cursor.execute('SELECT count(*), count(DISTINCT "case") FROM monitoring_prediction WHERE batch_id = %s',
                       [batch.pk])  # fmt: skip
        n_rows, n_cases = cursor.fetchone()
    days = DayState.objects.filter(deployment=deployment, signal="score", current=True)
    counted = sum(days.values_list("n", flat=True))
    marks = {f"{n:,}": peak for n, peak in peaks.items() if n > 0}
    path.unlink()
    small.unlink()
    return {
        "rows": rows, "file_mb": round(size / 2**20), "accepted": batch.accepted, "rejected": batch.rejected,
        "rows_in_table": n_rows, "cases_in_table": n_cases, "cases_in_day_states": counted - 2_000,
        "peak_mb": {"before": peaks[0], **marks, "after_day_states": peaks[-1]},
        "stored_s": round(stored_s), "with_day_states_s": round(time.perf_counter() - started),
        "load_average": os.getloadavg()[0],
    }  # fmt: skip


def _write(path: Path, rows: int, *, start: int = 0) -> None:
    """Piece by piece, so that writing does not raise the peak that is measured."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from scripts import bench_intake

    path.parent.mkdir(parents=True, exist_ok=True)
    writer = None
    for at in range(0, rows, PIECE):
        table = pa.table(bench_intake._columns(min(PIECE, rows - at), start=start + at))
        writer = writer or pq.ParquetWriter(path, table.schema, compression="lz4")
        writer.write_table(table, row_group_size=PIECE)
    assert writer is not None  # noqa: S101
    writer.close()


def _peak_mb() -> float:
    found = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
    return round(int(found[1]) / 1024, 1) if found else 0.0


def _page(result: dict[str, Any]) -> str:
    peaks = result["peak_mb"]
    lines = [f"| {name.replace('_', ' ')} | {peaks[name]:.1f} |" for name in peaks]
    return f"""# A Parquet file of {result["rows"]:,} rows in constant memory

`python -m scripts.evidence_large_file` writes a file of {result["rows"]:,} rows and ten columns
({result["file_mb"]} MB), takes it in through the file door in chunks of {PIECE:,} rows, under the application's
role and row security, and asks the tables afterwards: {result["accepted"]:,} accepted, {result["rejected"]} refused,
{result["rows_in_table"]:,} rows and {result["cases_in_table"]:,} cases in the partitions,
{result["cases_in_day_states"]:,} cases in the day states of the score. The rows are made up; their number is what
matters here.

Peak resident memory of the process (VmHWM), one process all the way:

| rows read | peak, MB |
| --- | --- |
{chr(10).join(lines)}

{result["stored_s"]} s until stored, {result["with_day_states_s"]} s with day states, on a shared machine of two cores
at the lowest priority (load average {result["load_average"]:.1f}): no measure of speed; `make bench` prints that.
"""


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5_000_000, sys.argv[2] if len(sys.argv) > 2 else "")
