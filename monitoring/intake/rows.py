"""Which rows may go in: reserved columns checked, the rest kept as signals, each refusal with row, column and value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from assurance.evidence.errors import InvalidInput
from monitoring.intake.readers import Columns, Refused

RESERVED = ("case_id", "patient_id", "study_time", "site", "model_version", "label", "label_time", "score", "decision")
LONGEST_NAME = 120
LONGEST_LEVEL = 120
OLDEST = pd.Timestamp("1990-01-01", tz="UTC")
HAS_ZONE = r"(?:[zZ]|[+-]\d{2}:?\d{2})$"


@dataclass(frozen=True)
class Expected:
    """What the deployment allows: its sites with their time zones, its version, its known signals by kind."""

    sites: Mapping[str, str]
    version: str
    now: datetime
    signals: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class CheckedRows:
    """Accepted rows as columns of equal length, refused rows beside them."""

    case_id: list[str]
    patient_id: list[str]
    study_time: pd.Series
    site: list[str]
    score: NDArray[np.float64] | None
    decision: list[str]
    label: NDArray[np.float64]
    label_time: pd.Series
    numbers: dict[str, NDArray[np.float64]]
    levels: dict[str, list[str | None]]
    refused: list[Refused]
    n_sent: int
    embedding: NDArray[np.float16] | None = None

    @property
    def n(self) -> int:
        return len(self.case_id)


class _Sieve:
    """Rows that are still in. The first refusal of a row stands; later ones of the same row are not reported."""

    def __init__(self, rows: list[int]) -> None:
        self.rows = np.asarray(rows, dtype=np.int64)
        self.kept = np.ones(self.rows.size, dtype=bool)
        self.refused: list[Refused] = []

    def refuse(self, bad: NDArray[np.bool_], column: str, code: str, reason: Any) -> None:
        """``reason`` is a sentence, or a function of the row's place that gives one."""
        places = np.flatnonzero(bad & self.kept)
        for place in places:
            text = reason(int(place)) if callable(reason) else reason
            self.refused.append(Refused(int(self.rows[place]), column, code, text[:300]))
        self.kept[places] = False


def check_rows(columns: Columns, expected: Expected) -> CheckedRows:
    """Sort good rows from bad ones.

    Raises
    ------
    InvalidInput
        ``missing_column`` when ``case_id`` or ``study_time`` (or ``site``, with several sites) is not there at all;
        ``bad_column_name``. These concern the whole delivery; everything else is refused row by row.
    """
    values = dict(columns.values)
    needed = ["case_id", "study_time", *(["site"] if len(expected.sites) > 1 else [])]
    for name in needed:
        if columns.rows and name not in values:
            raise InvalidInput(
                "missing_column",
                f"column {name} is not there: the delivery has {', '.join(list(values)[:12]) or 'none'}",
            )
    for name in values:
        if not name or len(name) > LONGEST_NAME or not name.isprintable():
            raise InvalidInput(
                "bad_column_name", f"column name {name[:40]!r}: give 1 to {LONGEST_NAME} printable characters"
            )
    sieve = _Sieve(columns.rows)
    n = len(columns.rows)
    case_id = _texts(values, "case_id", n)
    sieve.refuse(_empty(case_id), "case_id", "missing", "case_id is empty: name the case")
    sieve.refuse(_long(case_id, 128), "case_id", "too_long", "case_id has more than 128 characters")
    site = _texts(values, "site", n)
    if len(expected.sites) == 1:
        site[_empty(site)] = next(iter(expected.sites))
    known_sites = np.isin(site.astype(str), list(expected.sites))
    sieve.refuse(~known_sites, "site", "unknown_site",
                 lambda at: f"site {site[at]!r} is not one of {', '.join(expected.sites)}")  # fmt: skip
    version = _texts(values, "model_version", n)
    other = ~_empty(version) & (version.astype(str) != expected.version)
    sieve.refuse(other, "model_version", "other_version",
                 lambda at: f"model_version {version[at]!r}: this deployment runs {expected.version}")  # fmt: skip
    study_time = _times(values, "study_time", n, site, expected, sieve, required=True)
    label_time = _times(values, "label_time", n, site, expected, sieve, required=False)
    score = _numbers(values, "score", n, sieve) if "score" in values else None
    if score is not None:
        outside = ~np.isnan(score) & ((score < 0) | (score > 1))
        sieve.refuse(outside, "score", "out_of_range", lambda at: f"score {score[at]:g} lies outside 0..1")
    label = _numbers(values, "label", n, sieve)
    wrong = ~np.isnan(label) & (label != 0) & (label != 1)
    sieve.refuse(wrong, "label", "not_binary", lambda at: f"label {label[at]:g}: give 0, 1 or nothing")
    twins = pd.Series(case_id).duplicated().to_numpy() & sieve.kept
    sieve.refuse(twins, "case_id", "twice", lambda at: f"case_id {case_id[at]!r} stands in this delivery twice")
    numbers, levels = _signals(values, n, sieve, expected)
    embedding = _embedding(values, n, sieve)
    return _kept(
        sieve, columns, case_id=case_id, patient_id=_texts(values, "patient_id", n), study_time=study_time, site=site,
        score=score, decision=_texts(values, "decision", n), label=label, label_time=label_time, numbers=numbers,
        levels=levels, embedding=embedding,
    )  # fmt: skip


def _kept(sieve: _Sieve, columns: Columns, **parts: Any) -> CheckedRows:
    keep = sieve.kept
    return CheckedRows(
        case_id=list(parts["case_id"][keep]), patient_id=[text or "" for text in parts["patient_id"][keep]],
        study_time=parts["study_time"][keep], site=list(parts["site"][keep]),
        score=None if parts["score"] is None else parts["score"][keep],
        decision=[(text or "")[:60] for text in parts["decision"][keep]], label=parts["label"][keep],
        label_time=parts["label_time"][keep], numbers={name: one[keep] for name, one in parts["numbers"].items()},
        levels={name: list(one[keep]) for name, one in parts["levels"].items()},
        refused=sorted([*columns.refused, *sieve.refused], key=lambda one: one.row), n_sent=columns.n_sent,
        embedding=None if parts["embedding"] is None else parts["embedding"][keep],
    )  # fmt: skip


def _texts(values: Mapping[str, pa.Array], name: str, n: int) -> NDArray[np.object_]:
    if name not in values:
        return np.full(n, None, dtype=object)
    array = values[name]
    if not pa.types.is_string(array.type):
        array = array.cast(pa.string()) if not pa.types.is_nested(array.type) else pa.array([None] * n, pa.string())
    return np.array([text.strip() if text else None for text in array.to_pylist()], dtype=object)


def _empty(texts: NDArray[np.object_]) -> NDArray[np.bool_]:
    return np.array([not text for text in texts], dtype=bool)


def _long(texts: NDArray[np.object_], most: int) -> NDArray[np.bool_]:
    return np.array([bool(text) and len(text) > most for text in texts], dtype=bool)


def _numbers(values: Mapping[str, pa.Array], name: str, n: int, sieve: _Sieve) -> NDArray[np.float64]:
    """The column as numbers; empty cells are NaN, words and infinities refuse their row."""
    if name not in values:
        return np.full(n, np.nan)
    array = values[name]
    if pa.types.is_string(array.type) or pa.types.is_nested(array.type):
        texts = _texts(values, name, n) if pa.types.is_string(array.type) else np.full(n, "a list", dtype=object)
        numbers = pd.to_numeric(pd.Series(texts), errors="coerce").to_numpy(dtype=np.float64)
        words = np.isnan(numbers) & ~_empty(texts)
        sieve.refuse(words, name, "not_numeric", lambda at: f"{name} {str(texts[at])[:40]!r} is not a number")
    else:
        numbers = np.asarray(array.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)
    sieve.refuse(
        np.isinf(numbers), name, "not_finite", lambda at: f"{name} is infinite: give a finite number or nothing"
    )
    return numbers


def _times(
    values: Mapping[str, pa.Array], name: str, n: int, site: NDArray[np.object_], expected: Expected, sieve: _Sieve,
    *, required: bool,
) -> pd.Series:  # fmt: skip
    """ISO 8601 times in UTC; one without zone is read in its site's zone. Times in the future are refused."""
    if name not in values:
        return pd.Series(pd.NaT, index=range(n), dtype="datetime64[ns, UTC]")
    array = values[name]
    if pa.types.is_timestamp(array.type):
        texts = np.array([None if time is None else time.isoformat() for time in array.to_pylist()], dtype=object)
    else:
        texts = _texts(values, name, n)
    if required:
        sieve.refuse(_empty(texts), name, "missing", f"{name} is empty: give date and time in ISO 8601")
    series = pd.Series(texts, dtype="string")
    zoned = series.str.contains(HAS_ZONE, regex=True, na=False) & series.str.contains(r"\d[T ]\d", regex=True, na=False)
    times = pd.Series(pd.NaT, index=range(n), dtype="datetime64[ns, UTC]")
    if zoned.any():
        times[zoned] = pd.to_datetime(series[zoned], errors="coerce", utc=True, format="ISO8601")
    for code, zone in expected.sites.items():
        here = (~zoned & series.notna()).to_numpy() & (site == code)
        if here.any():
            local = pd.to_datetime(series[here], errors="coerce", format="ISO8601")
            times[here] = local.dt.tz_localize(zone, ambiguous=False, nonexistent="shift_forward").dt.tz_convert("UTC")
    unread = times.isna().to_numpy() & ~_empty(texts)
    sieve.refuse(
        unread, name, "not_a_time",
        lambda at: f"{name} {texts[at]!r} is not a time: give ISO 8601 such as 2026-03-01T08:30:00+01:00",
    )  # fmt: skip
    latest = pd.Timestamp(expected.now) + timedelta(days=1)
    sieve.refuse(
        (times > latest).to_numpy(), name, "in_the_future", lambda at: f"{name} {texts[at]} lies in the future"
    )
    sieve.refuse((times < OLDEST).to_numpy(), name, "too_old", lambda at: f"{name} {texts[at]} lies before 1990")
    return times


def _signals(
    values: Mapping[str, pa.Array], n: int, sieve: _Sieve, expected: Expected
) -> tuple[dict[str, NDArray[np.float64]], dict[str, NDArray[np.object_]]]:
    numbers: dict[str, NDArray[np.float64]] = {}
    levels: dict[str, NDArray[np.object_]] = {}
    for name, array in values.items():
        if name in RESERVED or name == "embedding" or name.startswith("emb_"):
            continue
        kind = expected.signals.get(name) or _kind(array)
        if kind == "numeric":
            numbers[name] = _numbers(values, name, n, sieve)
        else:
            texts = _texts(values, name, n)
            sieve.refuse(_long(texts, LONGEST_LEVEL), name, "too_long",
                         f"{name} has more than {LONGEST_LEVEL} characters: give a category")  # fmt: skip
            levels[name] = texts
    return numbers, levels


def _kind(array: pa.Array) -> str:
    """A new column is numeric when every filled cell is a number."""
    if pa.types.is_boolean(array.type):
        return "categorical"
    if not pa.types.is_string(array.type):
        return "categorical" if pa.types.is_nested(array.type) else "numeric"
    filled = pd.Series(array.drop_null().to_pylist(), dtype=object)
    return "numeric" if len(filled) and pd.to_numeric(filled, errors="coerce").notna().all() else "categorical"


def _embedding(values: Mapping[str, pa.Array], n: int, sieve: _Sieve) -> NDArray[np.float16] | None:
    names = sorted(
        (name for name in values if name.startswith("emb_") and name[4:].isdigit()), key=lambda x: int(x[4:])
    )
    if names:
        return np.column_stack([_numbers(values, name, n, sieve) for name in names]).astype(np.float16)
    array = values.get("embedding")
    if array is None or not (pa.types.is_list(array.type) or pa.types.is_fixed_size_list(array.type)):
        return None
    rows = array.to_pylist()
    width = next((len(row) for row in rows if row), 0)
    wrong = np.array([row is None or len(row) != width for row in rows], dtype=bool)
    sieve.refuse(wrong, "embedding", "other_width", f"embedding does not have {width} numbers like the others")
    return np.array([[np.nan] * width if bad else row for row, bad in zip(rows, wrong, strict=True)], dtype=np.float16)
