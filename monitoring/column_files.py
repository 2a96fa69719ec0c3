"""Columns of CSV and Parquet files as summaries, read in chunks, so that 10⁸ rows take no more memory than 10⁵."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
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
from monitoring.drift.binned_columns import ColumnCounter
from monitoring.drift.categories import MOST_LEVELS, CategoryState
from monitoring.drift.sketch import SketchState

CHUNK_ROWS = 65_536  # a chunk of one column stays in the processor's cache
FEW_LEVELS = 10  # whole numbers with at most this many levels are read as categories
EXACT_ROWS = 50_000  # a reference column of more rows is counted in bins, or kept as a sketch
BINS = 4096
WIDEST = 100.0  # sd: a column that spans more has tails that equal bins would blur, and is kept as a sketch
MOST_VECTORS = 20_000


def batches(path: Path, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
    """Chunks of a ``.csv``, ``.csv.gz`` or ``.parquet`` file.

    Raises
    ------
    InvalidInput
        ``no_file``, ``unknown_format``, ``unreadable``.
    """
    suffix = "".join(path.suffixes[-2:]).lower() if path.suffix.lower() == ".gz" else path.suffix.lower()
    try:
        if suffix == ".parquet":
            # read as it goes: buffering ahead would hold the whole file, whatever its size
            file = pq.ParquetFile(path, pre_buffer=False, buffer_size=2**20)
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


def columns_of(path: Path) -> list[str]:
    for batch in batches(path):
        return list(batch.schema.names)
    raise InvalidInput("unreadable", f"{path} holds no rows")


def kinds_of(path: Path, columns: list[str]) -> dict[str, str]:
    """numeric or categorical, by the type and the levels of the file's first chunk."""
    batch = next(batches(path, columns))
    kinds = {}
    for column in columns:
        values = batch.column(batch.schema.names.index(column))
        whole = pa.types.is_integer(values.type) and pc.count_distinct(values).as_py() <= FEW_LEVELS
        number = (pa.types.is_floating(values.type) or pa.types.is_integer(values.type)) and not whole
        kinds[column] = "numeric" if number else "categorical"
    return kinds


def summaries(
    path: Path, kinds: Mapping[str, str], rulers: dict[str, Any], progress: Callable[[str], None]
) -> dict[str, Any]:
    """A summary of each column, or the InvalidInput that says why there is none.

    ``rulers`` carries the bins that the reference's columns were counted in to the current file's.
    """
    totals: dict[str, Any] = {
        column: NumericSummary(rulers.get(column)) if kind == "numeric" else CategoryState()
        for column, kind in kinds.items()
    }
    rows = 0
    for batch in batches(path, list(kinds)):
        for column, kind in kinds.items():
            if isinstance(totals[column], InvalidInput):
                continue
            values = batch.column(batch.schema.names.index(column))
            try:
                if kind == "numeric":
                    totals[column].add(_numbers(values, column, path))
                else:
                    totals[column] = _more_levels(totals[column], values, column)
            except InvalidInput as refusal:
                totals[column] = refusal
        rows += batch.num_rows
        progress(f"  {rows:,} rows")
    for column, total in totals.items():
        if isinstance(total, NumericSummary):
            totals[column] = total.result()
            rulers[column] = total.ruler
    return totals


class NumericSummary:
    """The values themselves while they are few, then counts in equal bins; a sketch where the column spans too much.

    ``ruler`` is (low, high) of the bins, "sketch", or None while all values are kept; given, it is used from the start.
    """

    def __init__(self, ruler: Any = None) -> None:
        self.ruler = ruler
        self.parts: list[NDArray[np.float64]] = []
        self.rows = 0
        self.counter: ColumnCounter | None = None
        self.sketch: SketchState | None = None
        if isinstance(ruler, tuple):
            self.counter = ColumnCounter(low=ruler[0], high=ruler[1], bins=BINS)

    def add(self, values: NDArray[np.float64]) -> None:
        self.rows += values.size
        if self.counter is not None:
            self.counter.add(values)
            return
        self.parts.append(values)
        if self.rows > EXACT_ROWS:
            self._leave_exact()

    def _leave_exact(self) -> None:
        together = np.concatenate(self.parts)
        self.parts = []
        if self.ruler is None:
            self.ruler = _ruler(together)
        if isinstance(self.ruler, tuple):
            self.counter = ColumnCounter(low=self.ruler[0], high=self.ruler[1], bins=BINS)
            self.counter.add(together)
            return
        fresh = SketchState.from_values(together)
        self.sketch = fresh if self.sketch is None else self.sketch.merge(fresh)

    def result(self) -> Any:
        if self.counter is not None:
            return self.counter.result()
        if self.sketch is not None and self.parts:
            self._leave_exact()
        return self.sketch or np.concatenate([*self.parts, np.empty(0)])


def _ruler(values: NDArray[np.float64]) -> Any:
    """Bounds a little beyond the first values', so that later ones seldom fall outside; "sketch" for wild columns."""
    finite = values[np.isfinite(values)]
    if finite.size < 2:
        return "sketch"
    low, high, sd = float(finite.min()), float(finite.max()), float(finite.std())
    if sd == 0 or (high - low) / sd > WIDEST:
        return "sketch"
    if low >= 0 and high <= 1:
        return (0.0, 1.0)
    return (low - sd, high + sd)


def _more_levels(total: CategoryState, values: pa.Array, column: str) -> CategoryState:
    merged = total.merge(_counts(values))
    if len(merged.counts) > MOST_LEVELS:
        sentence = f"{column} has more than {MOST_LEVELS} levels: is it an identifier or free text?"
        raise InvalidInput("too_many_levels", sentence)
    return merged


def _counts(values: pa.Array) -> CategoryState:
    if pa.types.is_null(values.type):
        return CategoryState({}, len(values))
    if pa.types.is_nested(values.type):
        raise InvalidInput("not_levels", "the column holds lists: only a column called embedding may")
    counted = values.cast(pa.string()).value_counts()
    pairs = {item["values"].as_py(): item["counts"].as_py() for item in counted}
    missing = pairs.pop(None, 0) + pairs.pop("", 0)
    return CategoryState(dict(sorted(pairs.items())), missing)


def _numbers(values: pa.Array, column: str, path: Path) -> NDArray[np.float64]:
    try:
        numbers = values.cast(pa.float64()).to_numpy(zero_copy_only=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        sentence = f"column {column!r} of {path} holds words where the reference has numbers"
        raise InvalidInput("not_numeric", sentence) from error
    return np.asarray(numbers, dtype=np.float64)


def is_vector(column: str) -> bool:
    """Columns that are read together as one signal, not each by itself."""
    return column == "embedding" or (column.startswith("emb_") and column[4:].isdigit())


def vector_columns(title: str, names: list[str]) -> list[str]:
    """The columns of an embedding in their order, or those of the class scores."""
    if title == "class scores":
        return sorted(name for name in names if name.startswith("score_"))
    numbered = sorted((name for name in names if name.startswith("emb_") and is_vector(name)), key=lambda n: int(n[4:]))
    return numbered or [name for name in names if name == "embedding"]


@dataclass(frozen=True, eq=False)
class VectorColumns:
    """``rows`` (n, d) with NaN for what is missing, who they belong to, and how many the file holds."""

    rows: NDArray[np.float64]
    patients: NDArray[Any] | None
    seen: int


def read_vectors(path: Path, columns: list[str], *, patients: bool, seed: int) -> VectorColumns:
    """At most 20,000 rows, each row of the file with the same chance (by ``seed``)."""
    rng = np.random.default_rng(seed)
    rows: NDArray[np.float64] | None = None
    keys: NDArray[np.float64] = np.empty(0)
    who: NDArray[Any] = np.empty(0, dtype=object)
    seen = 0
    for batch in batches(path, [*columns, *(["patient_id"] if patients else [])]):
        fresh = _matrix(batch, columns, path)
        if rows is not None and fresh.shape[1] != rows.shape[1]:
            raise InvalidInput("other_width", f"{path} holds embeddings {rows.shape[1]} and {fresh.shape[1]} wide")
        seen += len(fresh)
        rows = fresh if rows is None else np.concatenate((rows, fresh))
        keys = np.concatenate((keys, rng.random(len(fresh))))
        if patients:
            names = batch.column(batch.schema.names.index("patient_id")).to_pylist()
            who = np.concatenate((who, np.array([str(name) for name in names], dtype=object)))
        if len(rows) > 2 * MOST_VECTORS:
            rows, keys, who = _thinned(rows, keys, who)
    if rows is None:
        raise InvalidInput("unreadable", f"{path} holds no rows")
    rows, keys, who = _thinned(rows, keys, who)
    return VectorColumns(rows, who if patients else None, seen)


def _thinned(
    rows: NDArray[np.float64], keys: NDArray[np.float64], who: NDArray[Any]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[Any]]:
    if len(rows) <= MOST_VECTORS:
        return rows, keys, who
    kept = np.sort(np.argpartition(keys, MOST_VECTORS)[:MOST_VECTORS])
    return rows[kept], keys[kept], who[kept] if who.size else who


def _matrix(batch: pa.RecordBatch, columns: list[str], path: Path) -> NDArray[np.float64]:
    first = batch.column(batch.schema.names.index(columns[0]))
    if not pa.types.is_nested(first.type):
        return np.column_stack([_numbers(batch.column(batch.schema.names.index(name)), name, path) for name in columns])
    lists = first.to_pylist()
    width = next((len(row) for row in lists if row), 0)
    if any(row is not None and len(row) != width for row in lists):
        raise InvalidInput("other_width", f"{path} holds embeddings of different widths in column {columns[0]!r}")
    return np.array([[np.nan] * width if row is None else row for row in lists], dtype=np.float64).reshape(-1, width)
