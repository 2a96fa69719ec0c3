"""e-BH over many streams: which of them alarm at each time, with their error rate under any dependence."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assurance.evidence.errors import InvalidInput


def e_bh(statistics: ArrayLike, *, arl0: float) -> NDArray[np.bool_]:
    """Streams in alarm at each time.

    Parameters
    ----------
    statistics : array of shape (K, T) or (K,)
        e-detector statistics of K streams along T times (``e_detector`` gives one).
    arl0 : float
        A: with one stream the alarm stands at S ≥ A. With K streams sorted descending, the top k alarm for the largest
        k with S_(k) ≥ K·A/k.

    Returns
    -------
    array of bool of the shape of ``statistics``

    References
    ----------
    Wang & Ramdas (2022), JRSS B 84:822 (e-BH). Dandapanthula & Ramdas (2025), arXiv:2501.04130 (over streams).
    """
    table = np.asarray(statistics, dtype=np.float64)
    flat = table.ndim == 1
    table = table[:, None] if flat else table
    if table.ndim != 2 or not table.size or np.isnan(table).any() or (table < 0).any():
        raise InvalidInput("bad_statistics", f"statistics have shape {table.shape}: give (K, T) numbers of 0 or more")
    if not arl0 > 1:
        raise InvalidInput("bad_arl0", f"arl0 {arl0}: give more than 1")
    streams = table.shape[0]
    falling = -np.sort(-table, axis=0)
    needed = streams * arl0 / np.arange(1, streams + 1)[:, None]
    kept = np.where(falling >= needed, np.arange(1, streams + 1)[:, None], 0).max(axis=0)
    smallest = np.where(kept > 0, np.take_along_axis(falling, np.maximum(kept - 1, 0)[None, :], axis=0)[0], np.inf)
    alarms: NDArray[np.bool_] = table >= smallest
    return alarms[:, 0] if flat else alarms
