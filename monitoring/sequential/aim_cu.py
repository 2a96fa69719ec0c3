"""The preset of FDA's AIM-CU tool: a tabular CUSUM with k = 0.5, h = 4 and a baseline of the first 30 points."""

from __future__ import annotations

from dataclasses import replace

from numpy.typing import ArrayLike

from monitoring.sequential.cusum import cusum
from monitoring.sequential.result import SequentialResult

CAVEATS = (
    "h = 4 gives a false alarm every 168 points on average even when the baseline is known exactly",
    "30 baseline points: 45 % of charts designed for 370 alarm falsely within 100 points",
)


def aim_cu(
    values: ArrayLike, *, baseline: int = 30, k: float = 0.5, h: float = 4.0, shift: float = 1.0
) -> SequentialResult:
    """CUSUM of a batch metric as AIM-CU draws it, but without its rounding of chart values to two decimals.

    ``values`` (n,), n ≥ ``baseline``. See ``cusum`` for the statistic and refusals. Offered so that charts can be
    compared with that tool's; for alarms prefer ``cusum`` with a longer baseline.

    References
    ----------
    FDA DIDSR, AIM-CU: a CUSUM-based tool for AI monitoring. Page (1954), Biometrika 41:100.
    """
    result = cusum(values, baseline=baseline, k=k, h=h, shift=shift)
    return replace(result, key="aim_cu", notes=CAVEATS)
