"""Whole columns to PostgreSQL in its binary COPY format, put together by numpy and Arrow, never a row at a time.

Each field of a row is its length (4 bytes, big-endian; -1 for null) and its bytes; a row is the count of its fields and
the fields. Numbers need no spelling and no reading this way, which is most of what COPY costs in text.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from django.db import connection
from numpy.typing import NDArray
from psycopg import sql

SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)
END = struct.pack("!h", -1)
_NULL = pa.scalar(struct.pack("!i", -1), pa.binary())
_NOTHING = pa.scalar(b"", pa.binary())
_FLOAT8, _TEXT = 701, 25  # the types' numbers in PostgreSQL's own catalogue
_EPOCH_US = 946_684_800_000_000  # PostgreSQL counts from 2000-01-01
_ROWS = 8_192  # put together at once: bounds the memory of wide rows
Fields = Callable[[int, int], pa.Array]


def copy_binary(table: str, columns: Mapping[str, Fields], n: int) -> None:
    """Append ``n`` rows to ``table``, whose columns have the names and types that the fields were made for."""
    names = sql.SQL(", ").join(sql.Identifier(name) for name in columns)
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)").format(sql.Identifier(table), names)
    count = pa.scalar(struct.pack("!h", len(columns)), pa.binary())
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(SIGNATURE)
        for start in range(0, n, _ROWS):
            end = min(n, start + _ROWS)
            rows = pc.binary_join_element_wise(count, *(field(start, end) for field in columns.values()), _NOTHING)
            copy.write(_content(rows))
        copy.write(END)


def whole_numbers(values: NDArray[np.integer[Any]]) -> Fields:
    return lambda start, end: _sized(values[start:end].astype(">i4"))


def codes(values: NDArray[np.bytes_]) -> Fields:
    """text of one length, as pseudonyms are."""
    return lambda start, end: _sized(values[start:end])


def times(values: NDArray[np.datetime64]) -> Fields:
    """timestamptz of UTC times without NaT."""
    since = values.astype("datetime64[us]").astype(np.int64) - _EPOCH_US
    return lambda start, end: _sized(since[start:end].astype(">i8"))


def floats(values: NDArray[np.float64] | None) -> Fields:
    """float8; NaN, and every row without a column, is null."""

    def field(start: int, end: int) -> pa.Array:
        return _nulls(end - start) if values is None else _elements(values[start:end])

    return field


def texts(values: pa.Array, *, null_as: str | None = None) -> Fields:
    """text; null stays null, or stands as ``null_as``."""
    values = values if null_as is None else pc.fill_null(values, null_as)
    return lambda start, end: _lengthy(values.slice(start, end - start).cast(pa.binary()))


def half_floats(matrix: NDArray[np.float16] | None) -> Fields:
    """bytea of little-endian half floats; a row of NaN is null."""

    def field(start: int, end: int) -> pa.Array:
        if matrix is None:
            return _nulls(end - start)
        part = matrix[start:end]
        absent = np.isnan(part).all(axis=1)
        found = _sized(part.astype("<f2"))
        return pc.if_else(pa.array(absent), _NULL, found) if absent.any() else found

    return field


def float_arrays(columns: Sequence[NDArray[np.float64] | None]) -> Fields:
    """float8[] with one element of each column; NaN, and a column that is None, are null elements."""
    head = _array_head(len(columns), _FLOAT8)

    def field(start: int, end: int) -> pa.Array:
        n = end - start
        parts = [None if one is None else one[start:end] for one in columns]
        if any(part is None or np.isnan(part).any() for part in parts):
            return _joined(head, [_nulls(n) if part is None else _elements(part) for part in parts], n)
        rows = np.empty(n, dtype=[("length", ">i4"), ("head", "V", len(head)),
                                  ("elements", [("length", ">i4"), ("value", ">f8")], (len(parts),))])  # fmt: skip
        rows["length"], rows["head"] = len(head) + 12 * len(parts), np.void(head)
        rows["elements"]["length"] = 8
        for place, part in enumerate(parts):
            rows["elements"]["value"][:, place] = part
        return _bytes_of(rows)

    return field


def text_arrays(columns: Sequence[pa.Array | None]) -> Fields:
    """text[] with one element of each column; null, and a column that is None, are null elements."""
    head = _array_head(len(columns), _TEXT)

    def field(start: int, end: int) -> pa.Array:
        n = end - start
        parts = [_nulls(n) if one is None else _levels(one.slice(start, n)) for one in columns]
        return _joined(head, parts, n)

    return field


def _array_head(length: int, kind: int) -> bytes:
    return struct.pack("!iiiii", 1, 0, kind, length, 1) if length else struct.pack("!iii", 0, 0, kind)


def _joined(head: bytes, parts: list[pa.Array], n: int) -> pa.Array:
    """An array of one dimension: its whole length, its head and its elements."""
    if not parts:
        return pa.repeat(pa.scalar(struct.pack("!i", len(head)) + head, pa.binary()), n)
    body = pc.binary_join_element_wise(*parts, _NOTHING)
    lengths = _bytes_of(_lengths(body, more=len(head)))
    return pc.binary_join_element_wise(lengths, pa.scalar(head, pa.binary()), body, _NOTHING)


def _elements(values: NDArray[np.float64]) -> pa.Array:
    rows = np.empty(len(values), dtype=[("length", ">i4"), ("value", ">f8")])
    rows["length"], rows["value"] = 8, values
    found, absent = _bytes_of(rows), np.isnan(values)
    return pc.if_else(pa.array(absent), _NULL, found) if absent.any() else found


def _levels(values: pa.Array) -> pa.Array:
    """Few different values many times: each is made once and taken from there."""
    coded = values.dictionary_encode()
    made = pa.concat_arrays([_lengthy(coded.dictionary.cast(pa.binary())), pa.array([_NULL.as_py()], pa.binary())])
    return made.take(pc.fill_null(coded.indices, len(made) - 1))


def _lengthy(values: pa.Array) -> pa.Array:
    """Length and bytes of each value, or null's mark."""
    whole = pc.fill_null(values, b"")
    found = pc.binary_join_element_wise(_bytes_of(_lengths(whole)), whole, _NOTHING)
    return pc.if_else(pc.is_valid(values), found, _NULL) if values.null_count else found


def _lengths(values: pa.Array, *, more: int = 0) -> NDArray[Any]:
    return (pc.binary_length(values).to_numpy(zero_copy_only=False) + more).astype(">i4")


def _nulls(n: int) -> pa.Array:
    return pa.repeat(_NULL, n)


def _sized(values: NDArray[Any]) -> pa.Array:
    """Rows of one width as fields: the width before each."""
    content = np.ascontiguousarray(values).view(np.uint8).reshape(len(values), -1)
    rows = np.empty((len(values), 4 + content.shape[1]), dtype=np.uint8)
    rows[:, :4] = np.frombuffer(struct.pack("!i", content.shape[1]), dtype=np.uint8)
    rows[:, 4:] = content
    return _bytes_of(rows)


def _bytes_of(rows: NDArray[Any]) -> pa.Array:
    """The memory of each row as one binary value; nothing is copied."""
    n = len(rows)
    offsets = np.arange(n + 1, dtype=np.int32) * (rows.nbytes // max(1, n))
    return pa.Array.from_buffers(pa.binary(), n, [None, pa.py_buffer(offsets), pa.py_buffer(rows)])


def _content(rows: pa.Array) -> memoryview:
    """The rows' bytes lie side by side in Arrow's buffer: that is what is sent."""
    _, offsets, content = rows.buffers()
    ends = np.frombuffer(offsets, dtype=np.int32)[rows.offset : rows.offset + len(rows) + 1]
    return memoryview(content)[ends[0] : ends[-1]]
