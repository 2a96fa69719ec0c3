"""The cases of a window as columns: for what day states cannot tell, strata, embeddings and second opinions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from psycopg import sql

from assurance.models import Deployment
from monitoring.columns import copy_out
from monitoring.drift.standardised import cells_of
from monitoring.models import Signal
from monitoring.services.day_states import raw_columns
from monitoring.windows.calendar import Span

FACTORS = {  # plan word -> the signals that may carry it, first found wins
    "sex": ("meta_sex", "sex"),
    "age": ("meta_age", "age"),
    "view": ("meta_view", "meta_view_position", "view"),
    "scanner": ("meta_scanner", "meta_manufacturer_model_name", "meta_model", "meta_manufacturer"),
    "software": ("meta_software_versions", "meta_software_version"),
    "protocol": ("meta_protocol", "meta_protocol_name", "meta_convolution_kernel"),
}


@dataclass(frozen=True, eq=False)
class Cases:
    """Columns in one order (study time, case). ``values`` by signal; ``embeddings`` (n, d) or None."""

    case: NDArray[np.object_]
    site: NDArray[np.object_]
    patient: NDArray[np.object_]
    values: dict[str, NDArray[Any]]
    kinds: dict[str, str]
    embeddings: NDArray[np.float64] | None

    @property
    def n(self) -> int:
        return int(self.case.size)

    @cached_property
    def patients(self) -> NDArray[np.object_] | None:
        """Who each case belongs to; None unless every case says so."""
        return self.patient if self.n and all(self.patient) else None

    def some(self, keep: NDArray[np.bool_]) -> Cases:
        values = {name: column[keep] for name, column in self.values.items()}
        vectors = None if self.embeddings is None else self.embeddings[keep]
        return Cases(self.case[keep], self.site[keep], self.patient[keep], values, self.kinds, vectors)

    def factor(self, name: str) -> NDArray[Any] | None:
        """The column of a plan's factor; None where no signal carries it."""
        if name == "site":
            return self.site
        found = next((signal for signal in (*FACTORS.get(name, ()), name) if signal in self.values), None)
        return None if found is None else self.values[found]

    def cells(self, factors: tuple[str, ...]) -> list[str] | None:
        """``age=40-64;sex=F`` for each case; None where a factor is not delivered."""
        columns = {name: self.factor(name) for name in factors}
        if not factors or any(column is None for column in columns.values()):
            return None
        return cells_of({name: column for name, column in columns.items() if column is not None})


def cases_of(deployment: Deployment, span: Span | None, *, embeddings: bool = True) -> Cases:
    """Cases of a window, or of the reference (``span`` None), under the deployment's version."""
    signals = list(deployment.signals.all())
    picks, types = raw_columns(signals)
    where: list[Any] = [deployment.pk, deployment.version_id, "monitoring" if span else "reference"]
    condition = ""
    if span:
        condition = "AND study_time >= %s AND study_time < %s"
        where += [span.window.start, span.window.end]
    vector = sql.SQL("encode(embedding, 'hex')") if embeddings else sql.SQL("NULL::text")
    query = sql.SQL(
        'SELECT "case", site, patient, {}, {} FROM monitoring_prediction WHERE deployment_id = %s AND version_id = %s '
        "AND batch_id IN (SELECT id FROM monitoring_predictionbatch WHERE purpose = %s) " + condition +
        ' ORDER BY study_time, "case"'
    ).format(vector, picks)  # fmt: skip
    texts = {"__case": pa.string(), "__site": pa.string(), "__patient": pa.string(), "__vector": pa.string()}
    table = copy_out(query, {**texts, **types}, where)
    values = {signal.name: _column(table, signal) for signal in signals}
    words = {name: np.array(table.column(name).fill_null("").to_pylist(), dtype=object) for name in texts}
    return Cases(
        words["__case"], words["__site"], words["__patient"], values, {signal.name: signal.kind for signal in signals},
        _vectors(words["__vector"]),
    )  # fmt: skip


def _column(table: pa.Table, signal: Signal) -> NDArray[Any]:
    column = table.column(signal.name)
    if signal.kind == Signal.Kind.CATEGORICAL:
        return np.array(column.to_pylist(), dtype=object)
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64)


def _vectors(texts: NDArray[np.object_]) -> NDArray[np.float64] | None:
    """Rows of float16 in hexadecimal; a case without an embedding, or one of another width, is a row of NaN."""
    known = [text for text in texts if text]
    if not known:
        return None
    width = len(known[0]) // 4
    rows = np.full((texts.size, width), np.nan)
    for place, text in enumerate(texts):
        if len(text) == 4 * width:
            rows[place] = np.frombuffer(bytes.fromhex(text), dtype="<f2")
    return rows


def divided(
    cases: Cases, factors: tuple[str, ...], *, keep: Callable[[int], bool] = lambda n: True
) -> dict[str, NDArray[np.bool_]]:
    """Masks by stratum (``age=40-64;sex=F``), in order of their names; empty where a factor is not delivered."""
    cells = cases.cells(factors)
    if cells is None:
        return {}
    names = np.array(cells, dtype=object)
    masks = {name: names == name for name in sorted(set(cells))}
    return {name: mask for name, mask in masks.items() if keep(int(mask.sum()))}
