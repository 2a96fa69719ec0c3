"""The door of the synthetic-data checks: embeddings of real and generated images."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import distance

from assurance.evidence.errors import InvalidInput, NotComputable

Vector = NDArray[np.float64]
CHUNK_ROWS = 2048


def embedding_pair(real: ArrayLike, synthetic: ArrayLike, *, at_least: int = 2) -> tuple[Vector, Vector]:
    """Both tables as finite float64 of shape (n, d) and (m, d).

    Raises
    ------
    InvalidInput
        ``bad_embedding`` (not a table of finite numbers), ``width_mismatch``.
    NotComputable
        ``too_few`` rows in one of them.
    """
    tables = []
    for name, values in (("real", real), ("synthetic", synthetic)):
        try:
            table = np.asarray(values, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise InvalidInput(
                "bad_embedding", f"{name} holds values that are not numbers: give (n, d) numbers"
            ) from error
        if table.ndim != 2 or table.shape[1] == 0 or not np.isfinite(table).all():
            raise InvalidInput(
                "bad_embedding", f"{name} has shape {table.shape}: give finite numbers, one row per image"
            )
        tables.append(table)
    if tables[0].shape[1] != tables[1].shape[1]:
        raise InvalidInput(
            "width_mismatch", f"embeddings have {tables[0].shape[1]} and {tables[1].shape[1]} columns: use one encoder"
        )
    smallest = min(len(table) for table in tables)
    if smallest < at_least:
        raise NotComputable("too_few", f"{smallest} images: {at_least} of each kind are needed")
    return tables[0], tables[1]


def nearest(
    rows: Vector, others: Vector, *, neighbours: int = 1, skip_self: bool = False
) -> tuple[Vector, NDArray[np.intp]]:
    """Distances to, and places of, the nearest of ``others``; shape (n, neighbours), nearest first.

    ``skip_self`` is for ``rows is others``: the row itself does not count. Memory stays at 2048 rows of distances.
    """
    wanted = neighbours
    if len(others) - int(skip_self) < wanted:
        raise NotComputable("too_few", f"{len(others)} images: {wanted} neighbours cannot be found")
    distances, places = np.empty((len(rows), wanted)), np.empty((len(rows), wanted), dtype=np.intp)
    for start in range(0, len(rows), CHUNK_ROWS):
        block = distance.cdist(rows[start : start + CHUNK_ROWS], others)
        if skip_self:
            here = np.arange(len(block))
            block[here, start + here] = np.inf
        chosen = np.argpartition(block, wanted - 1, axis=1)[:, :wanted]
        order = np.argsort(np.take_along_axis(block, chosen, axis=1), axis=1, kind="stable")
        chosen = np.take_along_axis(chosen, order, axis=1)
        places[start : start + len(block)] = chosen
        distances[start : start + len(block)] = np.take_along_axis(block, chosen, axis=1)
    return distances, places
