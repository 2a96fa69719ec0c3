"""CSV, Parquet, JSON lists and NDJSON as chunks of columns. Lines that cannot be read are refused one by one.

Memory is bounded by the chunk: CSV and NDJSON are read in blocks of bytes, Parquet in batches of rows. Chunks of the
same bytes are always cut at the same places, so that an interrupted delivery can go on where it stopped.
"""

from __future__ import annotations

import io
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from assurance.evidence.errors import InvalidInput
from monitoring.intake.columns import Columns, Refused
from monitoring.intake.formats import CHUNK_ROWS, MOST_COLUMNS, format_of
from monitoring.intake.json_rows import json_list, ndjson
from monitoring.intake.unpack import unpacked

BLOCK_BYTES = 4 * 2**20
UNREADABLE = (pa.ArrowException, OSError, UnicodeError, MemoryError, ValueError, KeyError)


def chunks(source: BinaryIO, *, media_type: str, encoding: str = "", rows: int = CHUNK_ROWS) -> Iterator[Columns]:
    """Read one delivery piece by piece; ``source`` stands at its start.

    Raises
    ------
    InvalidInput
        ``unknown_format``, ``too_large``, ``too_many_columns``, ``duplicate_column``, ``unreadable``, ``no_rows``. A
        delivery that breaks in its middle raises after the chunks before the break were given.
    """
    read = _READERS[format_of(media_type)]
    found = 0
    for columns in read(unpacked(source, encoding=encoding), rows):
        found += columns.n_sent
        if len(columns.values) > MOST_COLUMNS:
            raise InvalidInput(
                "too_many_columns", f"the delivery has {len(columns.values)} columns: at most {MOST_COLUMNS}"
            )
        if columns.n_sent:
            yield columns
    if not found:
        raise InvalidInput("no_rows", "the delivery holds no rows: give one row per case")


def chunks_of_bytes(content: bytes, *, media_type: str, encoding: str = "") -> Iterator[Columns]:
    return chunks(io.BytesIO(content), media_type=media_type, encoding=encoding)


@contextmanager
def _clear_errors(kind: str) -> Iterator[None]:
    try:
        yield
    except UNREADABLE as error:
        told = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise InvalidInput("unreadable", f"the delivery is not {kind}: {told}") from error


def _csv(source: BinaryIO, rows: int) -> Iterator[Columns]:
    start = source.read(2**20)
    with _clear_errors("CSV in UTF-8"):
        if not start.strip():
            return
        delimiter = _delimiter(start)
        names = _header(start, delimiter)
    refused: list[Refused] = []

    def ragged(row: pacsv.InvalidRow) -> str:
        reason = f"the row has {row.actual_columns} cells where the header has {row.expected_columns}"
        refused.append(Refused(row.number - 1 if row.number else 0, "", "ragged_row", reason))
        return "skip"

    with _clear_errors("CSV in UTF-8"):
        reader = pacsv.open_csv(
            pa.PythonFile(io.BufferedReader(_Chained(start, source)), mode="r"),  # type: ignore[type-var]
            pacsv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES),
            pacsv.ParseOptions(delimiter=delimiter, invalid_row_handler=ragged, newlines_in_values=True),
            pacsv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True,
                null_values=["", "NA", "null"],
            ),
        )  # fmt: skip
    number = 0
    while True:
        with _clear_errors("CSV in UTF-8"):
            try:
                batch = reader.read_next_batch()
            except StopIteration:
                break
        if not batch.num_rows:
            continue
        # The reader is a block ahead: of the refused rows only those above this batch's last one belong to it.
        bad = np.array(sorted(one.row for one in refused), dtype=np.int64)
        numbers = np.setdiff1d(
            np.arange(number + 1, number + batch.num_rows + bad.size + 1), bad, assume_unique=True
        )[: batch.num_rows]  # fmt: skip
        number = int(numbers[-1])
        taken = [one for one in refused if one.row <= number]
        refused[:] = [one for one in refused if one.row > number]
        yield Columns(dict(zip(names, batch.columns, strict=True)), numbers, taken)
    if refused:
        yield Columns({name: pa.array([], pa.string()) for name in names}, np.array([], dtype=np.int64), refused)


def _delimiter(start: bytes) -> str:
    line = start.split(b"\n", 1)[0]
    return ";" if b";" in line and b"," not in line else ","


def _header(start: bytes, delimiter: str) -> list[str]:
    if b"\n" not in start:
        if len(start) >= 2**20:
            raise InvalidInput("line_too_long", "the header is longer than 1,048,576 bytes: is this CSV?")
        start += b"\n"
    whole = start if len(start) < 2**20 else start[: start.rindex(b"\n") + 1]
    options = pacsv.ParseOptions(delimiter=delimiter, invalid_row_handler=lambda _: "skip", newlines_in_values=True)
    read = pacsv.ReadOptions(use_threads=False, block_size=2 * len(whole) + 16)
    # Only the first line is read: what is wrong below is told by the rows themselves.
    line = io.BytesIO(whole.split(b"\n", 1)[0] + b"\n")
    names: list[str] = pacsv.open_csv(line, read, options).schema.names
    _no_twins(names)
    return names


class _Chained(io.RawIOBase):
    """What was read already, then the rest."""

    def __init__(self, start: bytes, rest: BinaryIO) -> None:
        self._start, self._rest = memoryview(start), rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        piece = self._start[: len(buffer)] if self._start else self._rest.read(len(buffer))
        self._start = self._start[len(piece) :]
        buffer[: len(piece)] = piece
        return len(piece)


def _parquet(source: BinaryIO, rows: int) -> Iterator[Columns]:
    with tempfile.TemporaryFile() as room:  # Parquet is read from its end, a stream is not
        if not source.seekable():
            shutil.copyfileobj(source, room, 2**20)
            room.seek(0)
            source = room
        with _clear_errors("Parquet"):
            file = pq.ParquetFile(
                source, buffer_size=2**20, pre_buffer=False, thrift_string_size_limit=2**26,
                page_checksum_verification=True,
            )  # fmt: skip
            names = file.schema_arrow.names
            _no_twins(names)
            batches = file.iter_batches(batch_size=rows, use_threads=False)
        number = 0
        while True:
            with _clear_errors("Parquet"):
                batch = next(batches, None)
                if batch is None:
                    break
                batch.validate(full=True)  # lengths and offsets as the file claims them may lie
                values = {name: _plain(column) for name, column in zip(names, batch.columns, strict=True)}
            yield Columns(values, np.arange(number + 1, number + batch.num_rows + 1))
            number += batch.num_rows
        if number != file.metadata.num_rows:
            raise InvalidInput("unreadable", f"the Parquet file says {file.metadata.num_rows} rows and holds {number}")


def _plain(column: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_large_string(column.type) or pa.types.is_string_view(column.type):
        return column.cast(pa.string())
    return column


def _no_twins(names: list[str]) -> None:
    twins = sorted({name for name in names if names.count(name) > 1})
    if twins:
        raise InvalidInput("duplicate_column", f"the delivery has the column {twins[0]!r} twice: name each column once")


_READERS: dict[str, Callable[[Any, int], Iterator[Columns]]] = {
    "csv": _csv, "parquet": _parquet, "json": json_list, "ndjson": ndjson,
}  # fmt: skip
