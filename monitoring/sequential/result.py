"""What every sequential detector answers with: a path, its limits, the first alarm, the run lengths of its design."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from assurance.evidence.finding import Finding, Method, State

Vector = NDArray[np.float64]
VERSION = "1"


@dataclass(frozen=True, eq=False)
class SequentialResult:
    """One detector over one series of n points.

    ``statistic`` (n,) is judged against ``upper`` (n,) and, where there is one, ``lower`` (n,); ``alarm_index`` counts
    from 0 and is None while nothing was crossed. ``arl0`` is the expected number of points until a false alarm,
    ``arl1`` that until an alarm when the change named by ``arl1_at`` is there from the first point; None where the
    method gives no such promise. ``guaranteed`` says that ``arl0`` is a lower bound. ``change_index`` is the first
    point after the change, as the detector sees it. ``paths`` holds further curves of length n.
    """

    key: str
    statistic: Vector
    upper: Vector
    alarm_index: int | None
    parameters: Mapping[str, Any]
    arl0: float | None = None
    arl1: float | None = None
    arl1_at: str = ""
    guaranteed: bool = False
    lower: Vector | None = None
    change_index: int | None = None
    paths: Mapping[str, Vector] = field(default_factory=dict)
    input_digest: str = ""
    notes: tuple[str, ...] = ()

    @property
    def n(self) -> int:
        return int(self.statistic.size)

    def as_dict(self) -> dict[str, Any]:
        """Plain values; a limit that is not there yet (infinite) is None."""
        return {
            "detector": self.key, "n": self.n, "statistic": _plain(self.statistic), "upper": _plain(self.upper),
            "lower": None if self.lower is None else _plain(self.lower), "alarm_index": self.alarm_index,
            "alarm": self.alarm_index is not None, "change_index": self.change_index, "arl0": self.arl0,
            "arl0_is_lower_bound": self.guaranteed, "arl1": self.arl1, "arl1_at": self.arl1_at,
            "parameters": dict(self.parameters), "paths": {name: _plain(path) for name, path in self.paths.items()},
            "input_digest": self.input_digest, "implementation": f"vigil {self.key} {VERSION}",
            "notes": list(self.notes),
        }  # fmt: skip

    def finding(self, *, signal: str = "") -> Finding:
        """The last value as a Finding: ``act`` once the limit was crossed, else ``ok``."""
        crossed = self.alarm_index is not None
        return Finding(
            quantity=self.key, value=float(self.statistic[-1]), unit="1", state=State.ACT if crossed else State.OK,
            n_cases=self.n, method=Method(self.key, "vigil", VERSION, dict(self.parameters)), signal=signal,
            input_digest=self.input_digest, reason=f"limit crossed at point {self.alarm_index}" if crossed else "",
            details={"limit": _plain(self.upper[-1:])[0], "arl0": self.arl0, "arl1": self.arl1,
                     "arl1_at": self.arl1_at, "alarm_index": self.alarm_index, "change_index": self.change_index},
        )  # fmt: skip


def first_beyond(statistic: Vector, upper: Vector, lower: Vector | None = None) -> int | None:
    """The first place at which the statistic lies above ``upper`` (or reaches it) or below ``lower``."""
    beyond = statistic >= upper
    if lower is not None:
        beyond |= statistic <= lower
    places = np.flatnonzero(beyond)
    return int(places[0]) if places.size else None


def digest(*arrays: Vector) -> str:
    content = hashlib.sha256()
    for array in arrays:
        content.update(np.ascontiguousarray(array, dtype="<f8").tobytes())
    return content.hexdigest()


def _plain(values: Vector) -> list[float | None]:
    return [float(value) if math.isfinite(value) else None for value in values]
