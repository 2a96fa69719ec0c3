"""Drift between two files, column by column, without a server: the core of ``vigil drift``.

Files are read in chunks and kept as day-state-like summaries, so memory depends on the number of columns, not of rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assurance.evidence.errors import InvalidInput
from assurance.evidence.finding import Finding
from monitoring.column_files import (
    MOST_VECTORS,
    columns_of,
    is_vector,
    kinds_of,
    read_vectors,
    summaries,
    vector_columns,
)
from monitoring.drift.catalogue import DETECTORS, suited

RESERVED = {"case_id", "patient_id", "study_time", "label_time", "model_version", "label"}
NUMERIC = ("w1_sd", "ks", "psi", "js")
CATEGORICAL = ("chi_square",)
VECTORS = {"embedding": ("rff_mmd", "c2st"), "class scores": ("bbsd",)}


@dataclass(frozen=True, slots=True)
class ColumnResult:
    column: str
    findings: tuple[Finding, ...]
    note: str = ""


def compare_files(
    reference: Path,
    current: Path,
    *,
    columns: list[str] | None = None,
    methods: list[str] | None = None,
    seed: int = 0,
    progress: Callable[[str], None] = lambda text: None,
) -> list[ColumnResult]:  # fmt: skip
    """Compare the columns that both files share (or those named) by the default methods of their kind.

    ``methods`` names others: each column is compared by those that suit it. ``emb_0…`` (or a list column
    ``embedding``) are one signal, and so are several ``score_<class>`` columns together. Patients are those of
    ``patient_id`` where both files have it. A column that cannot be compared gets a note; one that was named is
    refused.

    Raises
    ------
    InvalidInput
        ``no_file``, ``unknown_format``, ``unreadable``, ``unknown_column``, ``unknown_key`` (method), ``no_columns``,
        and what is wrong with a column that was named.
    """
    for method in methods or ():
        _ = DETECTORS[method]
    paths = (reference, current)
    names = [columns_of(path) for path in paths]
    wanted = _wanted(columns, names, paths)
    results: list[ColumnResult] = []
    if wanted:
        results += _single(wanted, paths, methods, seed=seed, strict=bool(columns), progress=progress)
    for title in VECTORS:
        if columns is None or title in columns:
            results += _vectors(title, names, paths, methods, seed=seed, progress=progress)
    results.extend(
        ColumnResult(column, (), f"only in {'reference' if column in names[0] else 'current'}: not compared")
        for column in sorted(set(names[0]) ^ set(names[1]))
        if not columns and column not in RESERVED and not is_vector(column)
    )
    if not any(result.findings for result in results) and not results:
        raise InvalidInput("no_columns", f"{reference} and {current} share no column to compare")
    return results


def _single(
    wanted: list[str], paths: tuple[Path, Path], methods: list[str] | None, *, seed: int, strict: bool,
    progress: Callable[[str], None],
) -> list[ColumnResult]:  # fmt: skip
    kinds = kinds_of(paths[0], wanted)
    rulers: dict[str, Any] = {}
    states = []
    for path, title in zip(paths, ("reference", "current"), strict=True):
        progress(f"reading {title} {path}")
        states.append(summaries(path, kinds, rulers, progress))
    results = []
    for column in wanted:
        sides = [side[column] for side in states]
        refused = next((side for side in sides if isinstance(side, InvalidInput)), None)
        if refused is not None:
            if strict:
                raise refused
            results.append(ColumnResult(column, (), f"not compared: {refused.message}"))
            continue
        keys = _keys(kinds[column], methods)
        findings = tuple(
            DETECTORS.load(key)(*sides, seed=seed).placed(signal=column, reference=paths[0].name) for key in keys
        )
        note = "" if keys else f"no asked-for method reads {kinds[column]} columns"
        results.append(ColumnResult(column, findings, note))
    return results


def _keys(kind: str, methods: list[str] | None) -> list[str]:
    if methods:
        return [key for key in suited(kind) if key in methods]
    return list(NUMERIC if kind == "numeric" else CATEGORICAL)


def _vectors(
    title: str, names: list[list[str]], paths: tuple[Path, Path], methods: list[str] | None, *, seed: int,
    progress: Callable[[str], None],
) -> list[ColumnResult]:  # fmt: skip
    parts = [vector_columns(title, side) for side in names]
    if not any(parts) or (title == "class scores" and len(set(parts[0]) & set(parts[1])) < 2):
        return []
    kind = "embedding" if title == "embedding" else "scores"
    keys = [key for key in suited(kind) if key in methods] if methods else list(VECTORS[title])
    if not keys:
        return []
    if not all(parts):
        return [ColumnResult(title, (), f"only in {'reference' if parts[0] else 'current'}: not compared")]
    if kind == "scores":
        shared = [name for name in parts[0] if name in parts[1]]
        parts = [shared, shared]
    sides = []
    for path, columns, present in zip(paths, parts, names, strict=True):
        progress(f"reading {title} of {path}")
        sides.append(read_vectors(path, columns, patients="patient_id" in present, seed=seed))
    if sides[0].rows.shape[1] != sides[1].rows.shape[1]:
        widths = f"reference is {sides[0].rows.shape[1]} wide and current {sides[1].rows.shape[1]}"
        return [ColumnResult(title, (), f"not compared: {widths}, so they come from different models")]
    who = [side.patients for side in sides] if all(side.patients is not None for side in sides) else [None, None]
    findings = tuple(
        DETECTORS.load(key)(sides[0].rows, sides[1].rows, reference_patients=who[0], current_patients=who[1], seed=seed)
        .placed(signal=title, reference=paths[0].name)
        for key in keys
    )  # fmt: skip
    thinned = [side.seen for side in sides if side.seen > len(side.rows)]
    note = f"{max(thinned):,} rows, thinned to {MOST_VECTORS:,} at random by the seed" if thinned else ""
    return [ColumnResult(title, findings, note)]


def _wanted(columns: list[str] | None, names: list[list[str]], paths: tuple[Path, Path]) -> list[str]:
    single = [column for column in columns or () if column not in VECTORS]
    for column in single:
        for present, path in zip(names, paths, strict=True):
            if column not in present:
                raise InvalidInput(
                    "unknown_column", f"column {column!r} is not in {path}: it has {', '.join(present[:20])}"
                )
    shared = [name for name in names[0] if name in names[1] and name not in RESERVED and not is_vector(name)]
    if columns is None and not shared and not any(is_vector(name) for name in names[0]):
        raise InvalidInput("no_columns", f"{paths[0]} and {paths[1]} share no column to compare")
    return shared if columns is None else single
