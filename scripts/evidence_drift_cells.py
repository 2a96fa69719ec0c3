"""What is measured about the drift detectors, one cell at a time: a detector, a kind of signal, a size and a shift."""

from __future__ import annotations

import ast
import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from assurance.evidence.finding import State
from monitoring.drift.catalogue import DETECTORS
from monitoring.drift.categories import CategoryState
from monitoring.drift.shift_kind import shift_kind
from scripts.evidence_simulations import REFERENCE_SIZE, SHIFTS, SIZES, labelled_pair, simulated

# Fewer deals than the default 999, so that thousands of windows stay affordable. p ≤ 0.05 and 0.01 are exact with 199.
FEWER: dict[str, dict[str, Any]] = {
    "rff_mmd": {"permutations": 199, "features": 128},
    "c2st": {"permutations": 199},
    "frechet": {"permutations": 199},
}
CASES = [(key, kind) for key in DETECTORS for kind in DETECTORS[key].facts["signals"]]
CHUNK = 250  # windows of a false-alarm cell in one round; eight rounds make 2,000
SLOW = {"rff_mmd", "c2st", "frechet", "knn_ood", "mahalanobis_ood"}
HARD = [(key, kind) for kind in ("heavy", "tied") for key, signal in CASES if signal == "numeric"]
POWER_SIZES = (100, 300, 1000)
KINDS = ("none", "prevalence", "covariate", "both")


@dataclass(frozen=True, slots=True)
class Cell:
    """``part`` is false_alarms, power or identification; ``change`` what a shift moves: the mean or the spread."""

    part: str
    key: str
    kind: str
    size: int
    windows: int
    shift: float = 0.0
    change: str = "mean"
    chunk: int = 0

    @property
    def name(self) -> str:
        return f"{self.part}-{self.key}-{self.kind}-{self.change}-{self.size}-{self.shift:g}-{self.chunk}"


def planned(chunk: int) -> Iterator[Cell]:
    """The cells of one round: after any number of rounds every cell has as many windows as the others of its part."""
    for key, kind in (*CASES, *HARD):
        for size in SIZES:
            yield Cell("false_alarms", key, kind, size, CHUNK, chunk=chunk)
    for truth in KINDS:
        for world in ("first", "second"):
            yield Cell("identification", world, truth, 0, 50, chunk=chunk)
    for change in ("mean", "spread"):
        for key, kind in CASES:
            if change == "spread" and kind not in ("numeric", "embedding"):
                continue
            for size in POWER_SIZES if change == "mean" else (300,):
                for shift in SHIFTS:
                    yield Cell("power", key, kind, size, 25 if key in SLOW else 50, shift, change, chunk)


def measured(cell: Cell) -> dict[str, Any]:
    """The counts of one cell, with what they were counted from."""
    if cell.part == "identification":
        return asdict(cell) | _identified(cell)
    p_values, states = [], []
    for finding in findings(cell):
        p_values.append(finding.null.p_value)
        states.append(finding.state)
    held = np.array(p_values)
    return asdict(cell) | {
        "n": REFERENCE_SIZE[cell.kind], "p<=0.05": int((held <= 0.05).sum()), "p<=0.01": int((held <= 0.01).sum()),
        "watch or act": sum(state in (State.WATCH, State.ACT) for state in states),
        "act": sum(state is State.ACT for state in states),
    }  # fmt: skip


def findings(cell: Cell) -> Iterator[Any]:
    """One Finding for each window. Every window has a reference of its own, so that windows are independent."""
    detect = DETECTORS.load(cell.key)
    for number, (reference, current) in enumerate(windows_of(cell)):
        # one seed for the laws that are drawn once for all windows, as a plan has it; another for each dealing
        own_seed = number if cell.kind == "embedding" else 0
        if cell.kind == "categorical":  # counted here: reading text value by value is no part of the question
            reference, current = counted(reference), counted(current)
        yield detect(reference, current, seed=own_seed, **FEWER.get(cell.key, {}))


def counted(values: Any) -> CategoryState:
    levels, counts = np.unique(values, return_counts=True)
    return CategoryState({str(level): int(count) for level, count in zip(levels, counts, strict=True)})


def windows_of(cell: Cell, *, n: int = 0) -> Iterator[tuple[Any, Any]]:
    """References and windows; cells of one kind, size and shift see the same ones, whichever detector looks."""
    base = 0 if cell.part.endswith("false_alarms") else 1
    changed = [*cell.kind.encode(), *cell.change.encode()]
    rng = np.random.default_rng([base, cell.size, round(cell.shift * 100), cell.chunk, *changed])
    for _ in range(cell.windows):
        reference = simulated(cell.kind, rng, n or REFERENCE_SIZE[cell.kind])
        yield reference, simulated(cell.kind, rng, cell.size, shift=cell.shift, change=cell.change)


def _identified(cell: Cell) -> dict[str, Any]:
    """How often each kind is told. The seeds are not those on which the rule's thresholds were chosen."""
    told = Counter(
        shift_kind(
            *labelled_pair(
                np.random.default_rng([77, cell.chunk, KINDS.index(cell.kind), place]), cell.kind, world=cell.key
            ),
            seed=place,
        ).kind
        for place in range(cell.windows)
    )
    return {kind: told[kind] for kind in (*KINDS, "unclear")}


def code_digest(cell: Cell) -> str:
    """A digest of all project code that the cell's numbers depend on: another digest, another measurement."""
    module = "monitoring.drift.shift_kind" if cell.part == "identification" else f"monitoring.drift.{cell.key}"
    files = _imported(module) | _imported("scripts.evidence_simulations")
    content = hashlib.sha256()
    for path in sorted(files):
        content.update(Path(path).read_bytes())
    return content.hexdigest()[:16]


@cache
def _imported(module: str) -> frozenset[str]:
    """Files of the module and of everything under ``monitoring`` and ``assurance`` that it imports."""
    found: set[str] = set()
    waiting = [module]
    while waiting:
        spec = find_spec(waiting.pop())
        if spec is None or spec.origin is None or spec.origin in found or not spec.origin.endswith(".py"):
            continue
        found.add(spec.origin)
        for node in ast.walk(ast.parse(Path(spec.origin).read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in ("monitoring", "assurance"):
                waiting.append(str(node.module))
                waiting.extend(f"{node.module}.{name.name}" for name in node.names if _is_module(node.module, name))
    return frozenset(found)


def _is_module(package: str | None, name: ast.alias) -> bool:
    try:
        return find_spec(f"{package}.{name.name}") is not None
    except ModuleNotFoundError:  # the parent is a module, not a package: the name is one of its objects
        return False
