"""Which rows may go in: reserved columns checked, the rest kept as signals, each refusal with row, column and value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from assurance.evidence.errors import InvalidInput
from monitoring.intake.cells import mask, nans, numbers, texts, times
from monitoring.intake.columns import Columns, Refused
from monitoring.intake.deidentify import LONGEST_LEVEL, take_away
from monitoring.intake.embeddings import embeddings
from monitoring.intake.sieve import Sieve

RESERVED = ("case_id", "patient_id", "study_time", "site", "model_version", "label", "label_time", "score", "decision")
SYNTHETIC = ("synthetic", "meta_synthetic")
LONGEST_NAME = 120
LONGEST_ID = 128
OLDEST = np.datetime64("1990-01-01", "us")
OLDEST_AGE = 130
# Names of things: a version that reads 4.1 is a level, and 4.10 is not 4.1.
TEXT_TAGS = re.compile(
    r"^meta_(.*_)?(software|versions?|firmware|release|build|protocol|kernel|station|scanner|manufacturer|model|coil|"
    r"grid|view|sex|position|interpretation|modality|device|serial|vendor)(_|$)"
)
AGES = ("meta_age", "age", "patient_age", "age_years")


@dataclass(frozen=True)
class Expected:
    """What the deployment allows: its sites with their time zones, its version, its known signals by kind."""

    sites: Mapping[str, str]
    version: str
    now: datetime
    signals: Mapping[str, str] = field(default_factory=dict)
    control_patterns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class CheckedRows:
    """Accepted rows as columns of equal length ``n``; refused rows, and what de-identification removed, beside them."""

    rows: NDArray[np.int64]
    case_id: pa.Array
    patient_id: pa.Array
    study_time: NDArray[np.datetime64]
    site: pa.Array
    score: NDArray[np.float64] | None
    decision: pa.Array
    label: NDArray[np.float64]
    label_time: NDArray[np.datetime64]
    numbers: dict[str, NDArray[np.float64]]
    levels: dict[str, pa.Array]
    control: NDArray[np.object_]
    refused: list[Refused]
    n_sent: int
    embedding: NDArray[np.float16] | None = None
    removed: Mapping[str, int] = field(default_factory=dict)

    @property
    def n(self) -> int:
        return len(self.case_id)


def check_rows(columns: Columns, expected: Expected) -> CheckedRows:
    """Sort good rows from bad ones.

    Raises
    ------
    InvalidInput
        ``missing_column`` when ``case_id`` or ``study_time`` (or ``site``, with several sites) is not there at all;
        ``bad_column_name``. These concern the whole delivery; everything else is refused row by row.
    """
    n = len(columns.rows)
    _check_names(columns, expected)
    values, removed = take_away(columns.values, known={*RESERVED, *SYNTHETIC, *expected.signals, "embedding"})
    sieve = Sieve(columns.rows)
    none = pa.nulls(n, pa.string())

    def words(name: str) -> pa.Array:
        return texts(values[name]) if name in values else none

    case_id = words("case_id")
    sieve.refuse(mask(pc.is_null(case_id)), "case_id", "missing", "case_id is empty: name the case")
    sieve.refuse(_longer(case_id, LONGEST_ID), "case_id", "too_long", f"case_id has more than {LONGEST_ID} characters")
    patient_id = words("patient_id")
    sieve.refuse(
        _longer(patient_id, LONGEST_ID), "patient_id", "too_long", f"patient_id has more than {LONGEST_ID} characters"
    )
    site = words("site")
    if len(expected.sites) == 1:
        site = pc.fill_null(site, next(iter(expected.sites)))
    known = mask(pc.is_in(site, pa.array(list(expected.sites), pa.string())))
    allowed = ", ".join(expected.sites) or "none: the deployment has no site yet"
    sieve.refuse(~known, "site", "unknown_site", lambda value: f"site {value!r} is not one of {allowed}", values=site)
    version = words("model_version")
    other = mask(pc.not_equal(version, expected.version))
    sieve.refuse(
        other, "model_version", "other_version",
        lambda value: f"model_version {value!r}: this deployment runs {expected.version}", values=version,
    )  # fmt: skip
    _refuse_synthetic(values, sieve)
    study_time = _times(values, "study_time", site, expected, sieve, required=True)
    label_time = _times(values, "label_time", site, expected, sieve, required=False)
    score = _number(values, "score", sieve) if "score" in values else None
    if score is not None:
        failed = "score is NaN: give a finite number, or leave the cell empty"
        sieve.refuse(nans(values["score"]), "score", "not_finite", failed, values=values["score"])
        outside = ~np.isnan(score) & ((score < 0) | (score > 1))
        sieve.refuse(outside, "score", "out_of_range", lambda value: f"score {value} lies outside 0..1", values=score)
    label = _number(values, "label", sieve) if "label" in values else np.full(n, np.nan)
    wrong = ~np.isnan(label) & (label != 0) & (label != 1)
    sieve.refuse(wrong, "label", "not_binary", lambda value: f"label {value}: give 0, 1 or nothing", values=label)
    embedding = embeddings(values, n, sieve)
    signal_numbers, levels = _signals(values, sieve, expected)
    sieve.refuse(
        _seen_above(case_id) & sieve.kept, "case_id", "twice",
        lambda value: f"case_id {value!r} stands in this delivery twice", values=case_id,
    )  # fmt: skip
    keep = pa.array(sieve.kept)
    return CheckedRows(
        rows=columns.rows[sieve.kept], case_id=case_id.filter(keep), patient_id=patient_id.filter(keep),
        study_time=study_time[sieve.kept], site=site.filter(keep),
        score=None if score is None else score[sieve.kept],
        decision=pc.utf8_slice_codeunits(words("decision").filter(keep), 0, 60), label=label[sieve.kept],
        label_time=label_time[sieve.kept],
        numbers={name: one[sieve.kept] for name, one in signal_numbers.items()},
        levels={name: one.filter(keep) for name, one in levels.items()},
        control=_control(case_id.filter(keep), patient_id.filter(keep), expected),
        refused=sorted([*columns.refused, *sieve.refused], key=lambda one: one.row), n_sent=columns.n_sent,
        embedding=None if embedding is None else embedding[sieve.kept], removed=removed,
    )  # fmt: skip


def _check_names(columns: Columns, expected: Expected) -> None:
    values = columns.values
    needed = ["case_id", "study_time", *(["site"] if len(expected.sites) > 1 else [])]
    for name in needed:
        if len(columns.rows) and name not in values:
            raise InvalidInput(
                "missing_column",
                f"column {name} is not there: the delivery has {', '.join(list(values)[:12])[:300] or 'none'}",
            )
    for name in values:
        if not name or len(name) > LONGEST_NAME or not name.isprintable():
            raise InvalidInput(
                "bad_column_name", f"column name {name[:40]!r}: give 1 to {LONGEST_NAME} printable characters"
            )


def _refuse_synthetic(values: Mapping[str, pa.Array], sieve: Sieve) -> None:
    """A made image has no place in surveillance, whatever it may be good for elsewhere."""
    for name in SYNTHETIC:
        if name in values:
            marked = pc.is_in(pc.utf8_lower(texts(values[name])), pa.array(["1", "1.0", "true", "yes", "y"]))
            reason = "the image is marked synthetic: synthetic cases take no part in surveillance"
            sieve.refuse(mask(marked), name, "synthetic", reason, values=values[name])


def _longer(words: pa.Array, most: int) -> NDArray[np.bool_]:
    return mask(pc.greater(pc.utf8_length(words), most))


def _seen_above(words: pa.Array) -> NDArray[np.bool_]:
    codes = pc.dictionary_encode(words).indices.to_numpy(zero_copy_only=False)
    found: NDArray[np.bool_] = pd.Series(codes).duplicated().to_numpy()
    return found


def _number(values: Mapping[str, pa.Array], name: str, sieve: Sieve) -> NDArray[np.float64]:
    """The column as numbers; empty cells are NaN, words and infinities refuse their row."""
    found, words = numbers(values[name])
    sieve.refuse(
        words, name, "not_numeric", lambda value: f"{name} {value[:40]!r} is not a number", values=values[name]
    )
    sieve.refuse(
        np.isinf(found), name, "not_finite", f"{name} is infinite: give a finite number or nothing", values=found
    )
    return found


def _times(
    values: Mapping[str, pa.Array], name: str, site: pa.Array, expected: Expected, sieve: Sieve, *, required: bool
) -> NDArray[np.datetime64]:
    """ISO 8601 times in UTC; one without zone is read in its site's zone. Times in the future are refused."""
    if name not in values:
        return np.full(len(site), np.datetime64("NaT", "us"))
    found, unread = times(values[name], site=site, zones=expected.sites)
    sieve.refuse(
        unread, name, "not_a_time",
        lambda value: f"{name} {value!r} is not a time: give ISO 8601 such as 2026-03-01T08:30:00+01:00",
        values=values[name],
    )  # fmt: skip
    if required:
        sieve.refuse(np.isnat(found), name, "missing", f"{name} is empty: give date and time in ISO 8601")
    latest = np.datetime64((expected.now + timedelta(days=1)).replace(tzinfo=None), "us")
    sieve.refuse(
        found > latest, name, "in_the_future", lambda value: f"{name} {value} lies in the future", values=values[name]
    )
    sieve.refuse(found < OLDEST, name, "too_old", lambda value: f"{name} {value} lies before 1990", values=values[name])
    return found


def _signals(
    values: Mapping[str, pa.Array], sieve: Sieve, expected: Expected
) -> tuple[dict[str, NDArray[np.float64]], dict[str, pa.Array]]:
    found: dict[str, NDArray[np.float64]] = {}
    levels: dict[str, pa.Array] = {}
    for name, array in values.items():
        if name in RESERVED or name in SYNTHETIC or name == "embedding" or re.fullmatch(r"emb_\d+", name):
            continue
        if (expected.signals.get(name) or kind_of(name, array)) == "numeric":
            found[name] = _number(values, name, sieve)
            if name in AGES:
                _refuse_ages(name, found[name], sieve)
        else:
            levels[name] = texts(array)
            sieve.refuse(
                _longer(levels[name], LONGEST_LEVEL), name, "too_long",
                f"{name} has more than {LONGEST_LEVEL} characters: give a category",
            )  # fmt: skip
    return found, levels


def _refuse_ages(name: str, ages: NDArray[np.float64], sieve: Sieve) -> None:
    never = (ages < 0) | (ages > OLDEST_AGE)
    sieve.refuse(
        never, name, "out_of_range", lambda value: f"{name} {value}: give 0 to {OLDEST_AGE} years", values=ages
    )


def kind_of(name: str, array: pa.Array) -> str:
    """A new column is numeric when every filled cell is a number and its name is not one of a text tag."""
    if TEXT_TAGS.match(name):
        return "categorical"
    if pa.types.is_boolean(array.type) or pa.types.is_nested(array.type) or pa.types.is_temporal(array.type):
        return "categorical"
    if not pa.types.is_string(array.type):
        return "numeric" if pa.types.is_integer(array.type) or pa.types.is_floating(array.type) else "categorical"
    found, words = numbers(array)
    return "numeric" if not words.any() and not np.isnan(found).all() else "categorical"


def _control(case_id: pa.Array, patient_id: pa.Array, expected: Expected) -> NDArray[np.object_]:
    """ "canary", "phantom" or "" for each row, by the deployment's patterns on the case's or patient's name."""
    kinds = np.full(len(case_id), "", dtype=object)
    for kind, pattern in expected.control_patterns.items():
        for names in (case_id, patient_id):
            kinds[mask(pc.match_substring_regex(names, pattern)) & (kinds == "")] = kind
    return kinds
