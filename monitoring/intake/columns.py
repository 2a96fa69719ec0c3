"""What a reader gives: a chunk of rows as columns, with the sender's row numbers and what could not be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Refused:
    """One row that did not go in; ``row`` counts from 1, ``reason`` names column and value and says what is allowed."""

    row: int
    column: str
    code: str
    reason: str
    value: str = ""


@dataclass(frozen=True)
class Columns:
    """``values`` by column name; ``rows`` (n,) the sender's row numbers; unreadable rows in ``refused``."""

    values: Mapping[str, pa.Array]
    rows: NDArray[np.int64]
    refused: list[Refused] = field(default_factory=list)

    @property
    def n_sent(self) -> int:
        return len(self.rows) + len(self.refused)
