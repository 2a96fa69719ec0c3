"""Labels and per-case measures that come after the predictions."""

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from django.db import transaction

from assurance.evidence.errors import InvalidInput
from assurance.models import Deployment
from assurance.services.pseudonyms import pseudonyms
from monitoring.intake.readers import read
from monitoring.services.intake import put_labels

SHARES = ("dice", "nsd", "iou")  # per-case measures that lie in 0..1
MEASURES = ("label", *SHARES, "hd95_mm", "assd_mm", "tre_mm")


def accept_labels(deployment: Deployment, *, content: bytes, media_type: str) -> dict[str, Any]:
    """Store the good values of one delivery and refuse the others row by row; what became of it.

    Raises
    ------
    InvalidInput
        What the readers refuse as a whole; ``missing_column`` without ``case_id`` or any known measure.
    """
    columns = read(content, media_type=media_type)
    present = [name for name in MEASURES if name in columns.values]
    if "case_id" not in columns.values or not present:
        raise InvalidInput(
            "missing_column",
            f"columns {', '.join(columns.values) or 'none'}: give case_id and one or more of {', '.join(MEASURES)}",
        )
    names = [str(name).strip() if name else "" for name in _texts(columns.values["case_id"])]
    rejects = [vars_of(one) for one in columns.refused]
    bad = set()
    for at, name in enumerate(names):
        if not name or len(name) > 128:
            bad.add(at)
            rejects.append(_reject(columns.rows[at], "case_id", "missing", "case_id is empty or too long"))
    times = _times(columns.values.get("label_time"), len(names))
    cases = pseudonyms(deployment.organisation_id, names)
    accepted: set[int] = set()
    with transaction.atomic():
        for quantity in present:
            numbers = pd.to_numeric(pd.Series(_texts(columns.values[quantity])), errors="coerce").to_numpy(dtype=float)
            filled = np.array([text not in (None, "") for text in _texts(columns.values[quantity])])
            good = filled & _allowed(quantity, numbers)
            for at in np.flatnonzero(filled & ~good).tolist():
                if at not in bad:
                    text = str(_texts(columns.values[quantity])[at])[:40]
                    rejects.append(
                        _reject(columns.rows[at], quantity, "out_of_range", f"{quantity} {text!r}: {_rule(quantity)}")
                    )
                    bad.add(at)
            values = [(cases[at], float(numbers[at]), times[at]) for at in np.flatnonzero(good) if int(at) not in bad]
            put_labels(deployment, _last_of_each(values), quantity=quantity)
            accepted |= {int(at) for at in np.flatnonzero(good) if int(at) not in bad}
    return {"rows": columns.n_sent, "accepted": len(accepted), "rejected": len(rejects),
            "rejects": sorted(rejects, key=lambda one: one["row"])[:100]}  # fmt: skip


def _allowed(quantity: str, numbers: Any) -> Any:
    known = np.isfinite(numbers)
    if quantity == "label":
        return known & ((numbers == 0) | (numbers == 1))
    return known & (numbers >= 0) & (numbers <= (1 if quantity in SHARES else np.inf))


def _rule(quantity: str) -> str:
    if quantity == "label":
        return "give 0 or 1"
    return "give a number in 0..1" if quantity in SHARES else "give millimetres, 0 or more"


def _last_of_each(values: list[tuple[str, float, Any]]) -> list[tuple[str, float, Any]]:
    return list({value[0]: value for value in values}.values())


def _texts(array: pa.Array) -> list[Any]:
    return array.to_pylist()  # type: ignore[no-any-return]


def _times(array: pa.Array | None, n: int) -> list[Any]:
    if array is None:
        return [None] * n
    times = pd.to_datetime(pd.Series(_texts(array), dtype="object"), errors="coerce", utc=True, format="ISO8601")
    return [None if pd.isna(time) else time.to_pydatetime() for time in times]


def _reject(row: int, column: str, code: str, reason: str) -> dict[str, Any]:
    return {"row": row, "column": column, "code": code, "reason": reason}


def vars_of(refused: Any) -> dict[str, Any]:
    return _reject(refused.row, refused.column, refused.code, refused.reason)
