"""JSON lists and lines as columns: decoded by msgspec, turned by Arrow; a wrong line is refused alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

import msgspec
import numpy as np
import pyarrow as pa

from assurance.evidence.errors import InvalidInput
from monitoring.intake.columns import Columns, Refused
from monitoring.intake.formats import MOST_JSON_BYTES, MOST_LINE_BYTES

_BLOCK_BYTES = 2 * 2**20
_NOT_JSON = (msgspec.DecodeError, RecursionError, UnicodeError)
_decode = msgspec.json.Decoder().decode


def json_list(source: BinaryIO, rows: int) -> Iterator[Columns]:
    content = source.read(MOST_JSON_BYTES + 1)
    if len(content) > MOST_JSON_BYTES:
        raise InvalidInput("too_large", f"a JSON list may have {MOST_JSON_BYTES} bytes: send NDJSON, CSV or Parquet")
    try:
        found = _decode(content)
    except _NOT_JSON as error:
        raise InvalidInput("unreadable", f"the delivery is not JSON: {error}") from error
    if not isinstance(found, list):
        raise InvalidInput("unreadable", f"the delivery is a JSON {type(found).__name__}: give a list of objects")
    for start in range(0, len(found), rows):
        yield _columns(found[start : start + rows], np.arange(start + 1, min(start + rows, len(found)) + 1), [])


def ndjson(source: BinaryIO, rows: int) -> Iterator[Columns]:
    number = 0
    for lines in _blocks(source):
        refused = []
        numbers = np.arange(number + 1, number + len(lines) + 1)
        number += len(lines)
        try:
            found = _decode(b"[" + b",".join(lines) + b"]")
            if len(found) != len(lines):  # a line that is "1,2" alone is no JSON
                raise ValueError
        except (*_NOT_JSON, ValueError):
            found, kept = [], []
            for place, line in zip(numbers.tolist(), lines, strict=True):
                try:
                    if len(line) > MOST_LINE_BYTES:
                        raise _TooLong
                    found.append(_decode(line))
                    kept.append(place)
                except _TooLong:
                    reason = f"the line has more than {MOST_LINE_BYTES} bytes"
                    refused.append(Refused(place, "", "line_too_long", reason))
                except _NOT_JSON as error:
                    refused.append(Refused(place, "", "unreadable_line", f"the line is not JSON: {error}"[:300]))
            numbers = np.array(kept, dtype=np.int64)
        yield _columns(found, numbers, refused)


class _TooLong(Exception):
    pass


_LONG_LINE = b"x" * (MOST_LINE_BYTES + 1)


def _blocks(source: BinaryIO) -> Iterator[list[bytes]]:
    """Lists of lines that are not blank. Of a line beyond the limit only its length is remembered."""
    rest, too_long = b"", False
    while piece := source.read(_BLOCK_BYTES):
        lines = (rest + piece).split(b"\n")
        rest = lines.pop()
        if too_long and lines:
            lines[0], too_long = _LONG_LINE, False
        if len(rest) > MOST_LINE_BYTES:
            rest, too_long = b"", True
        kept = [line for line in lines if line.strip()]
        if kept:
            yield kept
    if too_long:
        yield [_LONG_LINE]
    elif rest.strip():
        yield [rest]


def columns_of_rows(rows: list[dict[str, Any]], refused: list[Refused], *, numbers: list[int] | None = None) -> Columns:
    """Rows that some door has made, as a reader would give them, under ``numbers`` or counted from 1."""
    places = np.arange(1, len(rows) + 1) if numbers is None else np.array(numbers, dtype=np.int64)
    return Columns(_by_name(rows), places, refused)


def _columns(found: list[Any], numbers: np.ndarray, refused: list[Refused]) -> Columns:
    objects = np.fromiter((type(row) is dict for row in found), dtype=bool, count=len(found))
    if not objects.all():
        for at in np.flatnonzero(~objects).tolist():
            told = f"the row is a JSON {type(found[at]).__name__}: give an object"
            refused.append(Refused(int(numbers[at]), "", "not_an_object", told))
        found = [row for row, good in zip(found, objects, strict=True) if good]
        numbers = numbers[objects]
    return Columns(_by_name(found), numbers, refused)


def _by_name(found: list[dict[str, Any]]) -> dict[str, pa.Array]:
    if not found:
        return {}
    try:
        rows = pa.array(found)
        if pa.types.is_struct(rows.type) and rows.type.num_fields:
            return {field.name: column for field, column in zip(rows.type, rows.flatten(), strict=True)}
    except (pa.ArrowException, OverflowError, UnicodeError, RecursionError):
        pass  # some column holds values of several kinds: take them one by one
    names = list(dict.fromkeys(name for row in found for name in row))
    return {name: _mixed([row.get(name) for row in found]) for name in names}


def _mixed(values: list[Any]) -> pa.Array:
    """Numbers as numbers, a column of mixed kinds as text, lists of numbers as lists."""
    try:
        return pa.array(values)
    except (pa.ArrowException, OverflowError, UnicodeError, RecursionError):
        return pa.array([value if value is None else _spelt(value) for value in values], pa.string())


def _spelt(value: Any) -> str:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    return msgspec.json.encode(value).decode()
