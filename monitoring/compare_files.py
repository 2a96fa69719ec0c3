"""Drift between two files, column by column, without a server: the core of ``vigil drift``.

Files are read in chunks and kept as day-state-like summaries, so memory depends on the number of columns, not of rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from assurance.evidence.errors import InvalidInput
from assurance.evidence.finding import Finding
from monitoring.drift.catalogue import DETECTORS, suited
from monitoring.drift.categories import CategoryState
from monitoring.drift.sketch import SketchState

RESERVED = {"case_id", "patient_id", "study_time", "label_time", "model_version", "label"}
NUMERIC = ("w1_sd", "ks", "psi", "js")
CHUNK_ROWS = 200_000
EXACT_ROWS = 1_000_000  # a column of more rows is kept as a sketch
FEW_LEVELS = 10  # whole numbers with at most this many levels are read as categories


@dataclass(frozen=True, slots=True)
class ColumnResult:
    column: str
    findings: tuple[Finding, ...]
    note: str = ""


def compare_files(
    reference: Path,
    current: Path,
    *,
    columns: list[str] | None = None,
    methods: list[str] | None = None,
    seed: int = 0,
    progress: Callable[[str], None] = lambda text: None,
) -> list[ColumnResult]:  # fmt: skip
    """Compare the columns that both files share (or those named), each by every method that suits its kind.

    Raises
    ------
    InvalidInput
        ``no_file``, ``unknown_format``, ``unreadable``, ``unknown_column``, ``unknown_key`` (method), ``no_columns``.
    """
    for method in methods or ():
        _ = DETECTORS[method]
    names = [_columns_of(path) for path in (reference, current)]
    wanted = _wanted(columns, names, (reference, current))
    kinds = _kinds(reference, wanted)
    states = []
    for path, title in ((reference, "reference"), (current, "current")):
        progress(f"reading {title} {path}")
        states.append(_summaries(path, kinds, progress))
    results = []
    for column in wanted:
        numeric = kinds[column] == "numeric"
        fitting = suited("numeric" if numeric else "categorical")
        keys = [key for key in fitting if not methods or key in methods]
        first, second = states[0][column], states[1][column]
        findings = tuple(
            DETECTORS.load(key)(first, second, seed=seed).placed(signal=column, reference=reference.name)
            for key in keys
        )
        results.append(
            ColumnResult(column, findings, "" if keys else f"no asked-for method reads {kinds[column]} columns")
        )
    results.extend(
        ColumnResult(column, (), f"only in {'reference' if column in names[0] else 'current'}: not compared")
        for column in sorted(set(names[0]) ^ set(names[1]))
        if not columns and column not in RESERVED
    )
    return results


def _wanted(columns: list[str] | None, names: list[list[str]], paths: tuple[Path, Path]) -> list[str]:
    for column in columns or ():
        for present, path in zip(names, paths, strict=True):
            if column not in present:
                raise InvalidInput(
                    "unknown_column", f"column {column!r} is not in {path}: it has {', '.join(present[:20])}"
                )
    wanted = columns or [name for name in names[0] if name in names[1] and name not in RESERVED]
    if not wanted:
        raise InvalidInput("no_columns", f"{paths[0]} and {paths[1]} share no column to compare")
    return wanted


def _batches(path: Path, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
    suffix = "".join(path.suffixes[-2:]).lower() if path.suffix.lower() == ".gz" else path.suffix.lower()
    try:
        if suffix == ".parquet":
            file = pq.ParquetFile(path)
            yield from file.iter_batches(batch_size=CHUNK_ROWS, columns=columns)
        elif suffix in (".csv", ".csv.gz"):
            options = pacsv.ConvertOptions(
                include_columns=columns, strings_can_be_null=True, null_values=["", "NA", "nan", "NaN"]
            )
            reading = pacsv.ReadOptions(block_size=16 * 2**20)
            with pacsv.open_csv(path, read_options=reading, convert_options=options) as stream:
                yield from stream
        else:
            raise InvalidInput(
                "unknown_format", f"{path} ends in {path.suffix or 'nothing'}: give .csv, .csv.gz or .parquet"
            )
    except FileNotFoundError as error:
        raise InvalidInput("no_file", f"{path} is not there: give an existing file") from error
    except (pa.ArrowException, OSError) as error:
        raise InvalidInput("unreadable", f"{path} could not be read: {str(error).splitlines()[0]}") from error


def _columns_of(path: Path) -> list[str]:
    for batch in _batches(path):
        return list(batch.schema.names)
    raise InvalidInput("unreadable", f"{path} holds no rows")


def _kinds(path: Path, columns: list[str]) -> dict[str, str]:
    """numeric or categorical, by the type and the levels of the reference's first chunk."""
    batch = next(_batches(path, columns))
    kinds = {}
    for column in columns:
        values = batch.column(batch.schema.names.index(column))
        whole = pa.types.is_integer(values.type) and pc.count_distinct(values).as_py() <= FEW_LEVELS
        number = (pa.types.is_floating(values.type) or pa.types.is_integer(values.type)) and not whole
        kinds[column] = "numeric" if number else "categorical"
    return kinds


def _summaries(path: Path, kinds: dict[str, str], progress: Callable[[str], None]) -> dict[str, Any]:
    totals: dict[str, Any] = {
        column: NumericSummary() if kind == "numeric" else CategoryState() for column, kind in kinds.items()
    }
    rows = 0
    for batch in _batches(path, list(kinds)):
        for column, kind in kinds.items():
            values = batch.column(batch.schema.names.index(column))
            if kind == "numeric":
                totals[column].add(_numbers(values, column, path))
            else:
                totals[column] = totals[column].merge(_counts(values))
        rows += batch.num_rows
        progress(f"  {rows:,} rows")
    return {column: total.result() if isinstance(total, NumericSummary) else total for column, total in totals.items()}


class NumericSummary:
    """The values themselves while they are few, a sketch once they are many."""

    def __init__(self) -> None:
        self.parts: list[NDArray[np.float64]] = []
        self.rows = 0
        self.sketch: SketchState | None = None

    def add(self, values: NDArray[np.float64]) -> None:
        self.rows += values.size
        self.parts.append(values)
        if self.rows > EXACT_ROWS:
            fresh = SketchState.from_values(np.concatenate(self.parts))
            self.sketch = fresh if self.sketch is None else self.sketch.merge(fresh)
            self.parts = []

    def result(self) -> NDArray[np.float64] | SketchState:
        return self.sketch or np.concatenate([*self.parts, np.empty(0)])


def _counts(values: pa.Array) -> CategoryState:
    if pa.types.is_null(values.type):
        return CategoryState({}, len(values))
    counted = values.cast(pa.string()).value_counts()
    pairs = {item["values"].as_py(): item["counts"].as_py() for item in counted}
    missing = pairs.pop(None, 0) + pairs.pop("", 0)
    return CategoryState(dict(sorted(pairs.items())), missing)


def _numbers(values: pa.Array, column: str, path: Path) -> NDArray[np.float64]:
    try:
        numbers = values.cast(pa.float64()).to_numpy(zero_copy_only=False)
    except pa.ArrowInvalid as error:
        sentence = f"column {column!r} of {path} holds words where the reference has numbers"
        raise InvalidInput("not_numeric", sentence) from error
    return np.asarray(numbers, dtype=np.float64)
