"""Evidently's tests on the very windows that our detectors see, judged by Evidently's own default thresholds."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from scripts.evidence_drift_cells import CHUNK, Cell, windows_of
from scripts.evidence_simulations import REFERENCE_SIZE, SHIFTS, SIZES

VERSION = version("evidently")
# our detector and its namesake there; "default_1000" and "default_2000": what it picks for a reference of that size
NAMESAKES = {
    "w1_sd": "wasserstein", "ks": "ks", "psi": "psi", "js": "jensenshannon", "cramer_von_mises": "cramer_von_mises",
    "anderson_darling": "anderson", "energy": "ed", "hellinger": "hellinger", "total_variation": "TVD",
    "chi_square": "chisquare", "g_test": "g_test", "rff_mmd": "mmd", "c2st": "model", "frechet": "distance",
    "component_ks": "ratio",
}  # fmt: skip
NUMERIC = ("default_1000", "default_2000", "wasserstein", "ks", "psi", "jensenshannon", "cramer_von_mises", "anderson",
           "ed", "hellinger")  # fmt: skip
CATEGORICAL = ("default_1000", "default_2000", "chisquare", "g_test", "hellinger", "TVD")
EMBEDDING = ("model", "distance", "ratio", "mmd")
FEWER = {"TVD": 10, "mmd": 5, "model": 25}  # windows of a round: they take up to seconds each


def planned(chunk: int) -> Iterator[Cell]:
    methods = {"numeric": NUMERIC, "categorical": CATEGORICAL, "embedding": EMBEDDING}
    for kind, keys in methods.items():
        for key, size in itertools.product(keys, SIZES):
            if not (key in FEWER and size == 1000):
                yield Cell("evidently_false_alarms", key, kind, size, FEWER.get(key, CHUNK), chunk=chunk)
    for kind, keys in methods.items():
        for key, shift in itertools.product(keys, SHIFTS):
            if key not in FEWER:
                yield Cell("evidently_power", key, kind, 300, 50, shift, chunk=chunk)


def measured(cell: Cell) -> dict[str, Any]:
    """How many windows it calls drifted, and how many it cannot judge (``g_test`` where n and m differ)."""
    warnings.simplefilter("ignore")
    n = int(cell.key.removeprefix("default_")) if cell.key.startswith("default_") else 0
    called, refused, name = 0, 0, cell.key
    for reference, current in windows_of(cell, n=n):
        try:
            drifted, name = _drifted(cell, reference, current)
            called += drifted
        except ValueError:
            refused += 1
    return asdict(cell) | {"n": n or REFERENCE_SIZE[cell.kind], "drift called": called, "refused": refused,
                           "test": name}  # fmt: skip


def _drifted(cell: Cell, reference: Any, current: Any) -> tuple[bool, str]:
    import pandas as pd
    from evidently.legacy.calculations.stattests.registry import get_stattest
    from evidently.legacy.core import ColumnType
    from evidently.legacy.metrics.data_drift import embedding_drift_methods as methods

    if cell.kind == "embedding":
        judge = getattr(methods, cell.key)()
        return bool(judge(pd.DataFrame(current), pd.DataFrame(reference))[1]), cell.key
    column = ColumnType.Numerical if cell.kind == "numeric" else ColumnType.Categorical
    first, second = pd.Series(reference), pd.Series(current)
    test = get_stattest(first, second, column, None if cell.key.startswith("default") else cell.key)
    return bool(test(first, second, column, None).drifted), test.name
