"""The door for prediction files: which column is what, and what of it can be used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assurance.evidence.errors import InvalidInput

Vector = NDArray[np.float64]
PATIENT_NAMES = ("patient_id", "patient")
SITE_NAMES = ("site",)
SUBGROUP_NAMES = ("sex", "age", "view", "meta_sex", "meta_age", "meta_view", "meta_manufacturer")
AGE_EDGES, AGE_BANDS = (18, 45, 65, 75), ("0-17", "18-44", "45-64", "65-74", "75+")
MOST_LEVELS = 20  # a factor with more levels is no subgroup but a free text


@dataclass(frozen=True)
class Target:
    """One thing that is predicted: its ``name`` ("" for the only one), labels (NaN = not read yet) and scores."""

    name: str
    labels: Vector
    scores: Vector


@dataclass(frozen=True)
class PredictionTable:
    """A checked prediction file: its targets, patients, factors with their levels as text, and what was not used."""

    targets: tuple[Target, ...]
    n_rows: int
    patients: NDArray[Any] | None
    factors: Mapping[str, NDArray[np.str_]]
    roles: Mapping[str, str] = field(default_factory=dict)
    unused: tuple[str, ...] = ()


def prediction_table(
    columns: Mapping[str, NDArray[Any]],
    *,
    label: str | None = None,
    score: str | None = None,
    patient: str | None = None,
    site: str | None = None,
    by: Sequence[str] = (),
    labels_needed: bool = True,
) -> PredictionTable:
    """Read the roles of the columns.

    Parameters
    ----------
    columns : mapping from name to array of shape (n_rows,)
        As a CSV or Parquet file gives them; empty cells as NaN or None.
    label, score : str, optional
        Names of the label and score columns. Otherwise ``label`` with ``score``; else a class per ``score_<class>``
        (``label`` then holds the class name); else a finding per ``label_<finding>`` with ``prob_<finding>`` or
        ``score_<finding>``.
    patient, site : str, optional
        Names of these columns; otherwise ``patient_id`` or ``patient``, and ``site``, where present.
    by : sequence of str
        Subgroup columns; otherwise sex, age and view (plain or with ``meta_``), where present. Numbers with more than
        20 values are cut: ages into 0–17, 18–44, 45–64, 65–74, 75+, others into thirds.
    labels_needed : bool
        False for label-free estimation: a table without labels is then accepted (all NaN).

    Raises
    ------
    InvalidInput
        ``no_rows``, ``missing_column``, ``no_target``, ``not_numeric``, ``not_binary``, ``not_finite``.
    """
    n_rows = len(next(iter(columns.values()))) if columns else 0
    if n_rows == 0:
        raise InvalidInput("no_rows", "the file holds no rows: give one row per case")
    for name in (label, score, patient, site, *by):
        if name is not None and name not in columns:
            raise _missing(name, columns)
    targets, used = _targets(columns, label, score, labels_needed)
    roles = dict.fromkeys(used, "target")
    patient = patient or _first(PATIENT_NAMES, columns)
    patients = None if patient is None else _patients(columns[patient], n_rows)
    if patient is not None:
        roles[patient] = "patient"
    site = site or _first(SITE_NAMES, columns)
    factors: dict[str, NDArray[np.str_]] = {}
    if site is not None:
        factors["site"] = _levels(columns[site])
        roles[site] = "site"
    for name in by or [name for name in SUBGROUP_NAMES if name in columns]:
        levels = _banded(name, columns[name])
        if np.unique(levels).size > MOST_LEVELS:
            raise InvalidInput(
                "too_many_levels", f"{name} has more than {MOST_LEVELS} levels: give a column with few groups in --by"
            )
        factors[name.removeprefix("meta_")] = levels
        roles[name] = "subgroup"
    unused = tuple(name for name in columns if name not in roles)
    return PredictionTable(targets, n_rows, patients, factors, roles, unused)


def _targets(
    columns: Mapping[str, NDArray[Any]], label: str | None, score: str | None, labels_needed: bool
) -> tuple[tuple[Target, ...], list[str]]:
    label = label or ("label" if "label" in columns else None)
    score = score or ("score" if "score" in columns else None)
    if score is not None:
        if label is None and labels_needed:
            guess = f"label_{score.partition('_')[2]}"
            if guess not in columns:
                raise _missing("label", columns)
            label = guess
        labels = np.full(len(columns[score]), np.nan) if label is None else _labels(columns[label], label)
        return (Target("", labels, _numbers(columns[score], score)),), [n for n in (label, score) if n]
    classes = {name.removeprefix("score_"): name for name in columns if name.startswith("score_")}
    if classes and label is not None:
        return _classes(columns, classes, label)
    scored = classes | {name.removeprefix("prob_"): name for name in columns if name.startswith("prob_")}
    pairs = {key: name for key, name in scored.items() if not labels_needed or f"label_{key}" in columns}
    if not pairs:
        if label is None and labels_needed:
            raise _missing("label", columns)
        raise _missing("score", columns)
    targets, used = [], []
    for key, name in pairs.items():
        label_name = f"label_{key}"
        scores = _numbers(columns[name], name)
        labels = np.full(scores.size, np.nan)
        if label_name in columns:
            labels = _labels(columns[label_name], label_name)
            used.append(label_name)
        targets.append(Target("" if len(pairs) == 1 else key, labels, scores))
        used.append(name)
    return tuple(targets), used


def _classes(
    columns: Mapping[str, NDArray[Any]], classes: Mapping[str, str], label: str
) -> tuple[tuple[Target, ...], list[str]]:
    names = _levels(columns[label])
    known = names != "unknown"
    if strange := sorted(set(names[known].tolist()) - set(classes)):
        raise InvalidInput(
            "unknown_class",
            f"{label} holds {strange[0]!r}, which no score column has: give one of {', '.join(classes)}",
        )
    targets = [
        Target(key, np.where(known, (names == key).astype(float), np.nan), _numbers(columns[name], name))
        for key, name in classes.items()
    ]
    return tuple(targets), [label, *classes.values()]


def _numbers(values: NDArray[Any], name: str) -> Vector:
    try:
        numbers = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInput("not_numeric", f"{name} holds values that are not numbers: give numbers only") from error
    if np.isinf(numbers).any():
        first = int(np.argmax(np.isinf(numbers)))
        raise InvalidInput("not_finite", f"{name}[{first}] is {numbers[first]}: give a finite number or leave it empty")
    return numbers


def _labels(values: NDArray[Any], name: str) -> Vector:
    labels = _numbers(values, name)
    bad = ~np.isnan(labels) & (labels != 0) & (labels != 1)
    if bad.any():
        first = int(np.argmax(bad))
        raise InvalidInput("not_binary", f"{name}[{first}] is {labels[first]:g}: give 0 or 1, or leave it empty")
    return labels


def _patients(values: NDArray[Any], n_rows: int) -> NDArray[Any]:
    names = _levels(values).astype(object)
    unnamed = np.flatnonzero(names == "unknown")
    names[unnamed] = [f"row {index}" for index in unnamed]  # who is not named counts as a patient of their own
    return names.astype(str)


def _levels(values: NDArray[Any]) -> NDArray[np.str_]:
    array = np.asarray(values)
    if array.dtype.kind == "f":
        return np.array(["unknown" if np.isnan(value) else f"{value:g}" for value in array.tolist()], dtype=str)
    texts = ("unknown" if value is None or value != value else str(value).strip() for value in array.tolist())
    return np.array([text or "unknown" for text in texts], dtype=str)


def _banded(name: str, values: NDArray[Any]) -> NDArray[np.str_]:
    array = np.asarray(values)
    if array.dtype.kind not in "iuf" or np.unique(array[array == array]).size <= MOST_LEVELS:
        return _levels(array)
    numbers = array.astype(float)
    known = ~np.isnan(numbers)
    if "age" in name:
        edges, bands = np.array(AGE_EDGES, dtype=float), np.array(AGE_BANDS)
    else:
        edges = np.quantile(numbers[known], [1 / 3, 2 / 3])
        bands = np.array([f"below {edges[0]:g}", f"{edges[0]:g} to {edges[1]:g}", f"{edges[1]:g} and above"])
    return np.where(known, bands[np.searchsorted(edges, np.where(known, numbers, 0), side="right")], "unknown")


def _first(names: Sequence[str], columns: Mapping[str, NDArray[Any]]) -> str | None:
    return next((name for name in names if name in columns), None)


def _missing(name: str, columns: Mapping[str, NDArray[Any]]) -> InvalidInput:
    held = ", ".join(list(columns)[:12])
    return InvalidInput("missing_column", f"there is no column {name!r}: the file holds {held}")
