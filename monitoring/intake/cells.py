"""Columns of any type as trimmed text, as numbers or as times: whole arrays at once, each odd cell found by a mask."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?$"
ENDLESS = r"^[+-]?(?i:inf|infinity)$"
_EMPTY = pa.array(["", "NaN", "nan"])
ZONED = r"\d[T ]\d.*(?:[zZ]|[+-]\d{2}:?\d{2})$"


def mask(array: pa.Array) -> NDArray[np.bool_]:
    """A boolean array as numpy; null is False."""
    found: NDArray[np.bool_] = pc.fill_null(array, False).to_numpy(zero_copy_only=False)
    return found


def texts(array: pa.Array) -> pa.Array:
    """Cells as text without surrounding blanks; empty text, "NaN" and lists are null."""
    if pa.types.is_nested(array.type) or pa.types.is_null(array.type):
        return pa.nulls(len(array), pa.string())
    if (
        pa.types.is_binary(array.type)
        or pa.types.is_large_binary(array.type)
        or pa.types.is_fixed_size_binary(array.type)
    ):
        array = pa.array([None if one is None else one.decode("utf-8", "replace") for one in array.to_pylist()])
    # PostgreSQL's text holds no NUL; a cell with one stays visible as odd
    whole = pc.replace_substring(array.cast(pa.string()), "\x00", "\ufffd")
    trimmed = pc.utf8_trim_whitespace(whole)
    return pc.if_else(pc.is_in(trimmed, _EMPTY), None, trimmed)


def nans(array: pa.Array) -> NDArray[np.bool_]:
    """Where a cell holds NaN itself: not an empty cell, but a computation that failed."""
    if pa.types.is_floating(array.type):
        return mask(pc.is_nan(array))
    if pa.types.is_string(array.type):
        return mask(pc.match_substring_regex(array, r"^\s*(?i:nan)\s*$"))
    return np.zeros(len(array), dtype=bool)


def numbers(array: pa.Array) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Cells as numbers with NaN for empty ones, and where something stands that is no number (a word, a list)."""
    if pa.types.is_nested(array.type):
        return np.full(len(array), np.nan), mask(array.is_valid())
    if pa.types.is_integer(array.type) or pa.types.is_floating(array.type) or pa.types.is_boolean(array.type):
        return _floats(array.cast(pa.float64(), safe=False)), np.zeros(len(array), dtype=bool)
    words = texts(array)
    plain, endless = pc.match_substring_regex(words, NUMBER), mask(pc.match_substring_regex(words, ENDLESS))
    found = _floats(pc.if_else(plain, words, None).cast(pa.float64()))
    found[endless] = np.inf
    empty = mask(pc.is_null(words)) | mask(pc.match_substring_regex(words, r"^(?i:nan)$"))
    return found, ~mask(plain) & ~endless & ~empty


def _floats(array: pa.Array) -> NDArray[np.float64]:
    return np.array(array.to_numpy(zero_copy_only=False), dtype=np.float64)


def times(
    array: pa.Array, *, site: pa.Array, zones: Mapping[str, str]
) -> tuple[NDArray[np.datetime64], NDArray[np.bool_]]:
    """Cells as UTC times (datetime64[us], NaT for empty), and where something stands that is no time.

    A time without zone is read in the zone of its row's site.
    """
    n = len(array)
    found = np.full(n, np.datetime64("NaT", "us"))
    if pa.types.is_timestamp(array.type) and array.type.tz is not None:
        return _moments(array.cast(pa.timestamp("us", "UTC"), safe=False)), np.zeros(n, dtype=bool)
    if pa.types.is_timestamp(array.type) or pa.types.is_date(array.type):
        local = _moments(array.cast(pa.timestamp("us"), safe=False))
        filled, zoned = ~np.isnat(local), np.zeros(n, dtype=bool)
    else:
        words = texts(array)
        filled = mask(pc.is_valid(words))
        zoned = mask(pc.match_substring_regex(words, ZONED))
        local = np.full(n, np.datetime64("NaT", "us"))
        if zoned.any():
            found[zoned] = _read(words.filter(pa.array(zoned)), utc=True)
        if (filled & ~zoned).any():
            local[filled & ~zoned] = _read(words.filter(pa.array(filled & ~zoned)), utc=False)
    for code, zone in zones.items():
        here = ~np.isnat(local) & mask(pc.equal(site, code))
        if here.any():
            placed = pd.Series(local[here].astype("datetime64[ns]")).dt.tz_localize(
                zone, ambiguous=np.zeros(int(here.sum()), dtype=bool), nonexistent="shift_forward"
            )
            found[here] = placed.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy().astype("datetime64[us]")
    unread = filled & np.isnat(found)
    if not pa.types.is_timestamp(array.type) and not pa.types.is_date(array.type):
        unread &= ~_only_unknown_site(local, found)
    return found, unread


def _only_unknown_site(local: NDArray[np.datetime64], found: NDArray[np.datetime64]) -> NDArray[np.bool_]:
    """Well-written local times whose site has no known zone: the site is what is wrong with their row."""
    return ~np.isnat(local) & np.isnat(found)


def _read(words: pa.Array, *, utc: bool) -> NDArray[np.datetime64]:
    try:  # Arrow reads the common spellings forty times faster than pandas, all or nothing
        return _moments(words.cast(pa.timestamp("us", "UTC" if utc else None)))
    except pa.ArrowInvalid:
        series = pd.Series(words.to_numpy(zero_copy_only=False), dtype=object)
        read = pd.to_datetime(series, errors="coerce", utc=utc, format="ISO8601")
        if utc:
            read = read.dt.tz_localize(None)
        return read.to_numpy().astype("datetime64[us]")


def _moments(array: pa.Array) -> NDArray[np.datetime64]:
    return np.array(array.to_numpy(zero_copy_only=False), dtype="datetime64[us]")
