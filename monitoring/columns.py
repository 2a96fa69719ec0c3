"""Whole columns to and from PostgreSQL: COPY in CSV with Arrow on our side, never a row at a time."""

import io
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
from django.db import connection
from psycopg import sql

_BLOCK_BYTES = 4 * 2**20


def copy_in(table: str, columns: pa.Table) -> None:
    """Append ``columns`` to ``table``, which has columns of the same names. Null is an empty, unquoted cell."""
    names = sql.SQL(", ").join(sql.Identifier(name) for name in columns.column_names)
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv)").format(sql.Identifier(table), names)
    buffer = io.BytesIO()
    pacsv.write_csv(columns, buffer, pacsv.WriteOptions(include_header=False, quoting_style="needed"))
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(buffer.getbuffer())


def copy_out(query: sql.Composable, types: dict[str, pa.DataType], parameters: Sequence[Any] = ()) -> pa.Table:
    """The columns of ``query`` under the names and types given, in that order."""
    schema = pa.schema(list(types.items()))
    return pa.Table.from_batches(list(copy_out_batches(query, types, parameters)), schema)


def copy_out_batches(
    query: sql.Composable, types: dict[str, pa.DataType], parameters: Sequence[Any] = ()
) -> Iterator[pa.RecordBatch]:
    """The same piece by piece, so that memory stays that of a piece however many rows there are."""
    statement = sql.SQL("COPY ({}) TO STDOUT (FORMAT csv)").format(query)
    with connection.cursor() as cursor, cursor.copy(statement, list(parameters)) as copy:
        source = io.BufferedReader(_Copied(iter(copy)), _BLOCK_BYTES)
        if not source.peek(1):
            return
        yield from pacsv.open_csv(
            pa.PythonFile(source, mode="r"),
            pacsv.ReadOptions(column_names=list(types), block_size=_BLOCK_BYTES, use_threads=False),
            pacsv.ParseOptions(newlines_in_values=True),
            pacsv.ConvertOptions(
                column_types=types, null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False,
                timestamp_parsers=[pacsv.ISO8601],
            ),
        )  # fmt: skip


class _Copied(io.RawIOBase):
    """What the server sends, as a file to read."""

    def __init__(self, parts: Iterator[Any]) -> None:
        self._parts, self._rest = parts, memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        filled = 0
        while filled < len(buffer):
            if not self._rest:
                part = next(self._parts, None)
                if part is None:
                    break
                self._rest = memoryview(part)
            piece = self._rest[: len(buffer) - filled]
            buffer[filled : filled + len(piece)] = piece
            self._rest = self._rest[len(piece) :]
            filled += len(piece)
        return filled
