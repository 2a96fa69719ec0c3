"""Rows that are still in. The first refusal of a row stands; later ones of the same row are not reported."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitoring.intake.columns import Refused

LONGEST_REASON = 300
LONGEST_VALUE = 80


class Sieve:
    def __init__(self, rows: NDArray[np.int64]) -> None:
        self.rows = rows
        self.kept = np.ones(rows.size, dtype=bool)
        self.refused: list[Refused] = []

    def refuse(
        self, bad: NDArray[np.bool_], column: str, code: str, reason: str | Callable[[str], str], *, values: Any = None
    ) -> None:
        """``values`` holds the column's cells; ``reason`` is a sentence, or makes one of the cell's text."""
        places = np.flatnonzero(bad & self.kept)
        for place in places.tolist():
            value = "" if values is None else _spelt(values[place])
            text = reason(value) if callable(reason) else reason
            self.refused.append(
                Refused(int(self.rows[place]), column, code, text[:LONGEST_REASON], value[:LONGEST_VALUE])
            )
        self.kept[places] = False


def _spelt(value: Any) -> str:
    plain = value.as_py() if hasattr(value, "as_py") else value
    text = f"{plain:g}" if isinstance(plain, float | np.floating) else str(plain)
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text[:LONGEST_VALUE])
