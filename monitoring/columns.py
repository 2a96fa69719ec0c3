"""Whole columns to and from PostgreSQL: COPY in CSV with Arrow on our side, never a row at a time."""

import io
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
from django.db import connection
from psycopg import sql


def copy_in(table: str, columns: pa.Table) -> None:
    """Append ``columns`` to ``table``, which has columns of the same names. Null is an empty, unquoted cell."""
    buffer = io.BytesIO()
    pacsv.write_csv(columns, buffer, pacsv.WriteOptions(include_header=False, quoting_style="needed"))
    names = sql.SQL(", ").join(sql.Identifier(name) for name in columns.column_names)
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT csv)").format(sql.Identifier(table), names)
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(buffer.getbuffer())


def copy_out(query: sql.Composable, types: dict[str, pa.DataType], parameters: Sequence[Any] = ()) -> pa.Table:
    """The columns of ``query`` under the names and types given, in that order."""
    statement = sql.SQL("COPY ({}) TO STDOUT (FORMAT csv)").format(query)
    buffer = io.BytesIO()
    with connection.cursor() as cursor, cursor.copy(statement, list(parameters)) as copy:
        for part in copy:
            buffer.write(part)
    if not buffer.tell():
        return pa.table({name: pa.array([], type=kind) for name, kind in types.items()})
    buffer.seek(0)
    return pacsv.read_csv(
        buffer,
        pacsv.ReadOptions(column_names=list(types)),
        convert_options=pacsv.ConvertOptions(
            column_types=types, null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False,
            timestamp_parsers=[pacsv.ISO8601],
        ),
    )  # fmt: skip
