"""Columns of rows as mergeable states by site and UTC day, from arrays that are in memory or come from the tables."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from monitoring.drift.binned import BinnedState
from monitoring.drift.categories import MOST_LEVELS, CategoryState
from monitoring.drift.sketch import SketchState
from monitoring.drift.state import to_bytes
from monitoring.models import Signal

Place = tuple[str, date]  # site, UTC day
Key = tuple[str, date, str]  # site, UTC day, signal
OTHER = "__other__"  # the rarest levels of a column that has more than a state may count


def states_of_columns(
    site: pa.Array, days: NDArray[np.int64], columns: Mapping[str, Any], signals: list[Signal], *, by_day: bool = True
) -> Iterator[tuple[Key, Any]]:
    """``days`` since 1970; ``columns`` holds each signal's values as floats or texts, an absent signal as None.

    Rows are sorted by place once; each signal's values of one place then lie side by side.
    """
    places, starts, order = _places(site, days) if by_day else ([("", date.min)], np.array([0]), None)
    ends = np.append(starts[1:], len(days))
    for signal in signals:
        column = columns.get(signal.name)
        if signal.kind == Signal.Kind.CATEGORICAL:
            column = pa.nulls(len(days), pa.string()) if column is None else column
            states: Any = _category_states(column, starts, ends, order)
        else:
            values = np.full(len(days), np.nan) if column is None else np.asarray(column, dtype=np.float64)
            values = values if order is None else values[order]
            states = (state_of(signal.kind, values[start:end]) for start, end in zip(starts, ends, strict=True))
        for (here, day), state in zip(places, states, strict=True):
            yield (here, day, signal.name), state


def _places(site: pa.Array, days: NDArray[np.int64]) -> tuple[list[Place], NDArray[np.int64], NDArray[np.int64]]:
    coded = site.dictionary_encode()
    names = coded.dictionary.to_pylist()
    codes = days * len(names) + coded.indices.to_numpy(zero_copy_only=False)
    order = np.argsort(codes, kind="stable")
    found = codes[order]
    starts = np.flatnonzero(np.r_[True, np.diff(found) != 0])
    places = [
        (names[code % len(names)], np.datetime64(code // len(names), "D").astype(object))
        for code in found[starts].tolist()
    ]
    return places, starts, order


def _category_states(
    column: pa.Array, starts: NDArray[np.int64], ends: NDArray[np.int64], order: NDArray[np.int64] | None
) -> Iterator[CategoryState]:
    coded = column.dictionary_encode()
    levels = coded.dictionary.to_pylist()
    codes = coded.indices.fill_null(len(levels)).to_numpy(zero_copy_only=False)
    codes = codes if order is None else codes[order]
    for start, end in zip(starts, ends, strict=True):
        counts = np.bincount(codes[start:end], minlength=len(levels) + 1)
        seen = np.flatnonzero(counts[:-1])
        found = {levels[at]: int(counts[at]) for at in seen.tolist()}
        yield CategoryState(dict(sorted(_most_frequent(found).items())), int(counts[-1]))


def _most_frequent(counts: dict[str, int]) -> dict[str, int]:
    if len(counts) <= MOST_LEVELS:
        return counts
    ranked = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    return dict(ranked[: MOST_LEVELS - 1]) | {OTHER: sum(n for _, n in ranked[MOST_LEVELS - 1 :])}


def state_of(kind: str, values: Any) -> Any:
    if kind == Signal.Kind.SCORE:
        return BinnedState.from_values(values)
    return SketchState.from_values(values) if kind == Signal.Kind.NUMERIC else CategoryState.from_values(values)


class Packed(msgspec.Struct, array_like=True):
    """A state that waits to join its day."""

    site: str
    day: date
    signal: str
    content: bytes

    @property
    def key(self) -> Key:
        return self.site, self.day, self.signal


def to_packed(states: Iterable[tuple[Key, Any]]) -> bytes:
    return msgspec.msgpack.encode([Packed(*key, to_bytes(state)) for key, state in states])


def from_bytes(content: bytes) -> list[Packed]:
    return msgspec.msgpack.decode(content, type=list[Packed])
