"""CSV, Parquet, JSON lists and NDJSON as columns of one shape. Lines that cannot be read are refused one by one."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from assurance.evidence.errors import InvalidInput

MOST_BYTES = 64 * 2**20
MOST_UNPACKED = 2**30
MOST_ROWS = 1_000_000
MOST_COLUMNS = 2_000
FORMATS = {
    "text/csv": "csv",
    "application/csv": "csv",
    "application/json": "json",
    "application/x-ndjson": "ndjson",
    "application/ndjson": "ndjson",
    "application/vnd.apache.parquet": "parquet",
    "application/x-parquet": "parquet",
}
ENDINGS = {".csv": "csv", ".json": "json", ".ndjson": "ndjson", ".jsonl": "ndjson", ".parquet": "parquet"}


@dataclass(frozen=True, slots=True)
class Refused:
    """One row that did not go in; ``row`` counts from 1, ``reason`` names column and value and says what is allowed."""

    row: int
    column: str
    code: str
    reason: str


@dataclass(frozen=True)
class Columns:
    """``values`` by column name; ``rows`` (n,) the sender's row numbers; unreadable rows in ``refused``."""

    values: Mapping[str, pa.Array]
    rows: list[int]
    refused: list[Refused] = field(default_factory=list)

    @property
    def n_sent(self) -> int:
        return len(self.rows) + len(self.refused)


def read(content: bytes, *, media_type: str) -> Columns:
    """Read one delivery.

    Raises
    ------
    InvalidInput
        ``unknown_format``, ``too_large``, ``too_many_rows``, ``too_many_columns``, ``unreadable``, ``no_rows``.
    """
    kind = FORMATS.get(media_type.partition(";")[0].strip().lower())
    if kind is None:
        raise InvalidInput("unknown_format", f"content type {media_type!r}: give one of {', '.join(sorted(FORMATS))}")
    if len(content) > MOST_BYTES:
        raise InvalidInput(
            "too_large", f"the delivery has {len(content)} bytes: at most {MOST_BYTES}, send it in parts"
        )
    columns = _READERS[kind](content)
    if not columns.n_sent:
        raise InvalidInput("no_rows", "the delivery holds no rows: give one row per case")
    if columns.n_sent > MOST_ROWS:
        raise InvalidInput("too_many_rows", f"the delivery has {columns.n_sent} rows: at most {MOST_ROWS}")
    if len(columns.values) > MOST_COLUMNS:
        raise InvalidInput(
            "too_many_columns", f"the delivery has {len(columns.values)} columns: at most {MOST_COLUMNS}"
        )
    return columns


def _csv(content: bytes) -> Columns:
    refused: list[Refused] = []

    def ragged(row: pacsv.InvalidRow) -> str:
        number = row.number - 1 if row.number else 0
        reason = f"the row has {row.actual_columns} cells where the header has {row.expected_columns}"
        refused.append(Refused(number, "", "ragged_row", reason))
        return "skip"

    try:
        header = pacsv.open_csv(
            io.BytesIO(content), parse_options=pacsv.ParseOptions(invalid_row_handler=lambda _: "skip")
        )
        names = header.schema.names
        _no_twins(names)
        refused.clear()
        table = pacsv.read_csv(
            io.BytesIO(content),
            pacsv.ReadOptions(use_threads=False),
            pacsv.ParseOptions(invalid_row_handler=ragged),
            pacsv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True,
                null_values=["", "NA", "NaN", "nan", "null"],
            ),
        )  # fmt: skip
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise InvalidInput(
            "unreadable", f"the delivery is not CSV in UTF-8: {str(error).splitlines()[0][:200]}"
        ) from error
    bad = {one.row for one in refused}
    rows = [number for number in range(1, table.num_rows + len(refused) + 1) if number not in bad]
    return Columns(_chunks(table), rows, refused)


def _parquet(content: bytes) -> Columns:
    try:
        file = pq.ParquetFile(io.BytesIO(content))
        unpacked = sum(file.metadata.row_group(group).total_byte_size for group in range(file.metadata.num_row_groups))
        if unpacked > MOST_UNPACKED:
            raise InvalidInput("too_large", f"the delivery unpacks to {unpacked} bytes: at most {MOST_UNPACKED}")
        _no_twins(file.schema_arrow.names)
        table = file.read()
    except (pa.ArrowException, OSError) as error:
        raise InvalidInput("unreadable", f"the delivery is not Parquet: {str(error).splitlines()[0][:200]}") from error
    return Columns(_chunks(table), list(range(1, table.num_rows + 1)))


def _json(content: bytes) -> Columns:
    try:
        rows = msgspec.json.decode(content)
    except msgspec.DecodeError as error:
        raise InvalidInput("unreadable", f"the delivery is not JSON: {error}") from error
    if not isinstance(rows, list):
        raise InvalidInput("unreadable", f"the delivery is a JSON {type(rows).__name__}: give a list of objects")
    return _records(list(enumerate(rows, start=1)), [])


def _ndjson(content: bytes) -> Columns:
    decoder = msgspec.json.Decoder()
    rows, refused = [], []
    number = 0
    for line in content.splitlines():
        if not line.strip():
            continue
        number += 1
        try:
            rows.append((number, decoder.decode(line)))
        except msgspec.DecodeError as error:
            refused.append(Refused(number, "", "unreadable_line", f"the line is not JSON: {error}"))
    return _records(rows, refused)


def _records(rows: list[tuple[int, Any]], refused: list[Refused]) -> Columns:
    good = []
    for number, row in rows:
        if isinstance(row, dict):
            good.append((number, row))
        else:
            refused.append(
                Refused(number, "", "not_an_object", f"the row is a JSON {type(row).__name__}: give an object")
            )
    names = list(dict.fromkeys(name for _, row in good for name in row))
    return Columns(
        {name: _plain_array([row.get(name) for _, row in good]) for name in names}, [number for number, _ in good],
        refused,
    )  # fmt: skip


def _plain_array(values: list[Any]) -> pa.Array:
    """Numbers as numbers, a column of mixed kinds as text, lists of numbers as lists."""
    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        return pa.array([value if value is None or isinstance(value, str) else _spelt(value) for value in values])


def _spelt(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _chunks(table: pa.Table) -> dict[str, pa.Array]:
    return {
        name: column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
        for name, column in zip(table.column_names, table.columns, strict=True)
    }


def _no_twins(names: list[str]) -> None:
    twins = sorted({name for name in names if names.count(name) > 1})
    if twins:
        raise InvalidInput("duplicate_column", f"the delivery has the column {twins[0]!r} twice: name each column once")


_READERS: dict[str, Callable[[bytes], Columns]] = {"csv": _csv, "parquet": _parquet, "json": _json, "ndjson": _ndjson}
