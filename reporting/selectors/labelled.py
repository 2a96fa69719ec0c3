"""Labelled cases of a deployment in a period: read inside the build job alone, and only sums of them leave it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from psycopg import sql

from assurance.models import Deployment
from monitoring.columns import copy_out
from monitoring.models import Signal
from monitoring.services.day_states import raw_columns

MOST_FACTORS = 8


@dataclass(frozen=True)
class LabelledCases:
    """Rows with a 0/1 label and a score. ``patients`` is None unless every row names its patient."""

    labels: NDArray[np.float64]
    scores: NDArray[np.float64]
    patients: NDArray[Any] | None
    sites: NDArray[Any]
    factors: Mapping[str, NDArray[Any]]

    @property
    def n(self) -> int:
        return int(self.labels.size)


def labelled_cases(deployment: Deployment, *, start: datetime, end: datetime) -> LabelledCases:
    signals = [s for s in deployment.signals.exclude(kind=Signal.Kind.SCORE) if s.name.startswith("meta_")][
        :MOST_FACTORS
    ]
    picks, types = raw_columns(signals)
    query = sql.SQL(
        """SELECT p.site, p.patient, p.score, l.value, {} FROM monitoring_prediction p
        JOIN monitoring_label l ON l.deployment_id = p.deployment_id AND l."case" = p."case" AND l.quantity = 'label'
        WHERE p.deployment_id = %s AND p.version_id = %s AND p.study_time >= %s AND p.study_time < %s AND p.batch_id IN
        (SELECT id FROM monitoring_predictionbatch WHERE purpose = 'monitoring')
        ORDER BY p.study_time, p."case" """
    ).format(picks)
    head = {"site": pa.string(), "patient": pa.string(), "score": pa.float64(), "value": pa.float64()}
    rows = copy_out(query, {**head, **types}, [deployment.pk, deployment.version_id, start, end])
    scores = rows.column("score").to_numpy(zero_copy_only=False).astype(np.float64)
    usable = np.isfinite(scores)
    patients = np.asarray(rows.column("patient").to_pylist(), dtype=object)[usable]
    factors = {
        s.name: np.asarray(rows.column(s.name).to_pylist(), dtype=object)[usable]
        for s in signals
        if s.kind == Signal.Kind.CATEGORICAL or s.name == "meta_age"
    }
    return LabelledCases(
        labels=rows.column("value").to_numpy(zero_copy_only=False)[usable],
        scores=scores[usable],
        patients=patients if patients.size and all(patients) else None,
        sites=np.asarray(rows.column("site").to_pylist(), dtype=object)[usable],
        factors=factors,
    )
