"""Prediction files on disk: CSV or Parquet in, plain arrays out."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from assurance.evidence.errors import InvalidInput

READERS = {".csv": pd.read_csv, ".csv.gz": pd.read_csv, ".parquet": pd.read_parquet}


def read_prediction_file(path: str | Path) -> dict[str, NDArray[Any]]:
    """Return the columns of a CSV (plain or gzip) or Parquet file, in its order.

    Raises
    ------
    InvalidInput
        ``no_file``, ``unknown_format``, ``unreadable`` (with the parser's reason), ``no_rows``.
    """
    file = Path(path)
    if not file.is_file():
        raise InvalidInput("no_file", f"{path} is not a file: give a CSV or Parquet file")
    reader = next((read for ending, read in READERS.items() if file.name.lower().endswith(ending)), None)
    if reader is None:
        raise InvalidInput("unknown_format", f"{file.name} has another ending: give one of {', '.join(READERS)}")
    try:
        frame = reader(file)
    except (ValueError, OSError, EOFError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InvalidInput("unreadable", f"{file.name} cannot be read as {file.suffix[1:]}: {reason}") from error
    if frame.empty:
        raise InvalidInput("no_rows", f"{file.name} holds no rows: give one row per case")
    if frame.columns.duplicated().any():
        raise InvalidInput(
            "duplicate_column", f"{file.name} holds the column {frame.columns[frame.columns.duplicated()][0]!r} twice"
        )
    return {str(name): _plain(column) for name, column in frame.items()}


def _plain(column: pd.Series) -> NDArray[Any]:
    if column.dtype.kind not in "biuf":
        return np.asarray(column.to_numpy(dtype=object))
    if isinstance(column.dtype, np.dtype):
        return np.asarray(column.to_numpy())
    return np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan))  # nullable types of Parquet files
