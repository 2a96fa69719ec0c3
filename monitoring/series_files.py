"""A series of values from a file: the door of ``vigil sequential``."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from assurance.evidence.errors import InvalidInput


def read_series(path: Path, *, column: str | None = None) -> NDArray[np.float64]:
    """One column of a CSV or Parquet file, or a file of one number per line, or a JSON list of numbers.

    A file with several columns needs ``column`` unless one of them is called ``value``.

    Raises
    ------
    InvalidInput
        ``no_file``, ``unreadable``, ``unknown_column``, ``not_numeric``, ``missing_values``.
    """
    table = _read(path)
    names = list(table)
    if column is None:
        column = names[0] if len(names) == 1 else "value"
    if column not in table:
        raise InvalidInput("unknown_column", f"column {column!r} is not in {path}: it has {', '.join(names[:20])}")
    values = table[column]
    if not (pa.types.is_floating(values.type) or pa.types.is_integer(values.type) or pa.types.is_boolean(values.type)):
        raise InvalidInput("not_numeric", f"column {column!r} of {path} holds {values.type} values: give numbers only")
    if values.null_count:
        place = values.to_pylist().index(None)
        raise InvalidInput(
            "missing_values", f"row {place + 1} of column {column!r} is empty: a chart needs every point"
        )
    if pa.types.is_boolean(values.type):
        values = values.cast(pa.int8())
    return np.asarray(values.to_numpy(zero_copy_only=False), dtype=np.float64)


def read_days(path: Path, *, column: str) -> list[str]:
    """The days of a series as ISO text; ``unknown_column`` and ``missing_values`` as :func:`read_series`."""
    table = _read(path)
    if column not in table:
        raise InvalidInput(
            "unknown_column", f"column {column!r} is not in {path}: it has {', '.join(list(table)[:20])}"
        )
    if table[column].null_count:
        raise InvalidInput("missing_values", f"column {column!r} has empty rows: every point needs its day")
    return [str(value)[:10] for value in table[column].to_pylist()]


def _read(path: Path) -> dict[str, pa.Array]:
    if not path.is_file():
        raise InvalidInput("no_file", f"{path} is not there: give an existing file")
    try:
        return _table(path)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise InvalidInput("unreadable", f"{path} could not be read: {str(error).splitlines()[0]}") from error


def _table(path: Path) -> dict[str, pa.Array]:
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        read = pq.read_table(path)
    elif suffix == ".json":
        return {"value": pa.array(json.loads(path.read_text(encoding="utf-8")), from_pandas=True)}
    else:
        with path.open(encoding="utf-8") as file:
            first = file.readline().strip()
        headless = "," not in first and _is_number(first)
        reading = pacsv.ReadOptions(column_names=["value"] if headless else None)
        options = pacsv.ConvertOptions(strings_can_be_null=True)
        read = pacsv.read_csv(path, read_options=reading, convert_options=options,
                              parse_options=pacsv.ParseOptions(ignore_empty_lines=not headless))  # fmt: skip
    return {name: read.column(name).combine_chunks() for name in read.column_names}


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def read_parameters(pairs: list[str], function: Callable[..., Any]) -> dict[str, Any]:
    """``["k=0.25", "side=upper"]`` as keyword arguments of ``function``, each of the type its default or hint has.

    Raises
    ------
    InvalidInput
        ``bad_parameter`` for what is not name=value, ``unknown_parameter`` with the names that exist.
    """
    known = dict(list(inspect.signature(function).parameters.items())[1:])
    found: dict[str, Any] = {}
    for pair in pairs:
        name, sign, text = pair.partition("=")
        if not sign:
            raise InvalidInput("bad_parameter", f"{pair!r}: give name=value")
        if name not in known:
            raise InvalidInput(
                "unknown_parameter", f"parameter {name!r} is not known: choose one of {', '.join(known)}"
            )
        found[name] = _typed(name, text, str(known[name].annotation))
    return found


def _typed(name: str, text: str, hint: str) -> Any:
    if hint.startswith("bool"):
        if text.lower() not in ("true", "false", "1", "0"):
            raise InvalidInput("bad_parameter", f"{name}={text}: give true or false")
        return text.lower() in ("true", "1")
    if hint.startswith("str"):
        return text
    try:
        if hint.startswith("Sequence"):
            return [float(part) for part in text.split(",")]
        return int(text) if hint.startswith("int") else float(text)
    except ValueError:
        what = "numbers, separated by commas" if hint.startswith("Sequence") else "a number"
        raise InvalidInput("bad_parameter", f"{name}={text}: give {what}") from None


def missing_parameters(needs: tuple[str, ...], given: Mapping[str, Any]) -> list[str]:
    return [name for name in needs if name not in given]
