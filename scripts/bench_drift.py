"""Benchmarks of drift: one window, a year of windows from states, and a file, beside Evidently and plain numpy."""

from __future__ import annotations

import json
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from monitoring.column_files import summaries
from monitoring.drift.binned import BinnedState
from monitoring.drift.binned_columns import ColumnCounter, window_statistics
from monitoring.drift.catalogue import DETECTORS
from monitoring.drift.distribution import distribution

COLUMNS = 30
METHODS = ("w1_sd", "ks", "psi", "js")


def results(*, sizes: tuple[int, ...] = (10_000, 100_000), peers: bool = True) -> Iterator[dict[str, Any]]:
    """One measurement after the other: best of three in wall and processor seconds; Evidently, being slow, once.

    On a machine that others use the processor seconds are the fair ones. "one window, first" is that of a process that
    has not met the reference before: its null laws are drawn then and kept.
    """
    for rows in sizes:
        before, after = _table(rows, 0), _table(rows, 1)
        yield _timed("one window, first", "vigil", rows, lambda a=before, b=after: _window(a, b), repeat=1)  # type: ignore[misc]
        yield _timed("one window", "vigil", rows, lambda a=before, b=after: _window(a, b))  # type: ignore[misc]
        if peers:
            for preset in ("default", "psi"):
                yield _timed("one window", f"evidently {preset}", rows,
                             lambda a=before, b=after, p=preset: _evidently(a, b, p), repeat=1)  # type: ignore[misc]  # fmt: skip
    states = _year(2_000)
    yield _timed("52 windows from states", "vigil", 52 * 2_000, lambda: _from_states(states))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "window.parquet"
        table = _table(sizes[-1], 2)
        pq.write_table(pa.table({f"c{k}": table[:, k] for k in range(COLUMNS)}), path, compression="lz4")
        yield _timed("Parquet to states", "vigil", sizes[-1], lambda: _from_file(path))
        yield _timed("Parquet to counts", "numpy limit", sizes[-1], lambda: _numpy_limit(path))


def _table(rows: int, seed: int) -> NDArray[np.float64]:
    return np.asfortranarray(np.random.default_rng(seed).beta(2, 5, size=(rows, COLUMNS)))


def _window(before: NDArray[np.float64], after: NDArray[np.float64]) -> None:
    """Both sides from raw values to four findings for each column."""
    for column in range(COLUMNS):
        sides = []
        for table in (before, after):
            counter = ColumnCounter(low=0.0, high=1.0, bins=1000)
            counter.add(table[:, column])
            sides.append(distribution(counter.result(), name=str(column)))
        for key in METHODS:
            DETECTORS.load(key)(*sides)


def _year(rows: int) -> list[tuple[BinnedState, list[BinnedState]]]:
    rng = np.random.default_rng(3)
    return [
        (
            BinnedState.from_values(rng.beta(2, 5, 20_000)),
            [BinnedState.from_values(rng.beta(2, 5, rows)) for _ in range(52)],
        )
        for _ in range(COLUMNS)
    ]


def _from_states(states: list[tuple[BinnedState, list[BinnedState]]]) -> None:
    for reference, windows in states:
        window_statistics(reference, windows)


def _from_file(path: Path) -> None:
    summaries(path, {f"c{k}": "numeric" for k in range(COLUMNS)}, {}, lambda text: None)


def _numpy_limit(path: Path) -> None:
    """Read, scale, clip, count: what no implementation in numpy can undercut by much."""
    for batch in pq.ParquetFile(path).iter_batches(batch_size=65_536):
        for column in batch.columns:
            place = column.to_numpy(zero_copy_only=False) * 4096
            np.bincount(np.clip(place, 0, 4095).astype(np.intp), minlength=4096)


def _evidently(before: NDArray[np.float64], after: NDArray[np.float64], preset: str) -> None:
    with warnings.catch_warnings(action="ignore"):
        import pandas as pd
        from evidently import DataDefinition, Dataset, Report
        from evidently.presets import DataDriftPreset

        names = [f"c{k}" for k in range(COLUMNS)]
        definition = DataDefinition(numerical_columns=names)
        sides = [
            Dataset.from_pandas(pd.DataFrame(t, columns=names), data_definition=definition) for t in (before, after)
        ]
        chosen = DataDriftPreset() if preset == "default" else DataDriftPreset(method="psi")
        Report([chosen]).run(sides[1], sides[0]).dict()


def _timed(name: str, who: str, rows: int, call: Callable[[], None], *, repeat: int = 3) -> dict[str, Any]:
    wall, processor = [], []
    for _ in range(repeat):
        start, spent = time.perf_counter(), time.process_time()
        call()
        wall.append(time.perf_counter() - start)
        processor.append(time.process_time() - spent)
    return {
        "benchmark": f"drift: {name}", "who": who, "rows": rows, "columns": COLUMNS, "seconds": round(min(wall), 5),
        "cpu_seconds": round(min(processor), 5),
    }  # fmt: skip


def main() -> None:
    for one in results():
        print(json.dumps(one))


if __name__ == "__main__":
    main()
