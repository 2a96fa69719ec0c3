"""Measure the drift detectors on simulated windows, cell by cell, and write docs/evidence/drift.md from the cells.

``python -m scripts.evidence_drift measure`` can be stopped and started again at any time: a cell that is in the cache
is not measured twice, unless the code that it depends on has changed. ``write`` makes the tables and plots of what the
cache holds. Everything takes about an hour on one core.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

from scripts import evidence_drift_cells as ours
from scripts import evidence_drift_evidently as theirs
from scripts.evidence_drift_cells import Cell

CELL = tuple(one.name for one in fields(Cell))
CACHE = Path.home() / ".cache" / "vigil" / "evidence-drift"


def jobs(rounds: int) -> Iterator[tuple[Cell, str, Callable[[Cell], dict[str, Any]]]]:
    """Every cell with the digest of the code it depends on and the function that measures it, round after round."""
    for chunk in range(rounds):
        for cell in ours.planned(chunk):
            yield cell, ours.code_digest(cell), ours.measured
        for cell in theirs.planned(chunk):
            yield cell, theirs.VERSION, theirs.measured


def measure(cache: Path, rounds: int, only: str) -> None:
    cache.mkdir(parents=True, exist_ok=True)
    for cell, digest, count in jobs(rounds):
        path = cache / f"{cell.name}.json"
        if not cell.name.startswith(only) or (path.exists() and json.loads(path.read_text())["code"] == digest):
            continue
        start = time.process_time()
        row = count(cell) | {"code": digest, "cpu_seconds": round(time.process_time() - start, 1)}
        part = path.with_suffix(".part")  # a run that is stopped leaves no half a cell
        part.write_text(json.dumps(row), encoding="utf-8")
        part.replace(path)
        sys.stderr.write(json.dumps(row) + "\n")


def current(cache: Path) -> Iterator[dict[str, Any]]:
    """The measured cells, without those whose code has changed since."""
    for path in sorted(cache.glob("*.json")):
        row = json.loads(path.read_text(encoding="utf-8"))
        cell = Cell(**{name: row[name] for name in CELL})
        if row["code"] == (theirs.VERSION if cell.part.startswith("evidently") else ours.code_digest(cell)):
            yield row
        else:
            sys.stderr.write(f"{path.name}: measured on other code, left out\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("measure", "write"))
    parser.add_argument("--cache", type=Path, default=CACHE)
    parser.add_argument("--rounds", type=int, default=8, help="a round has 250 windows for each false-alarm cell")
    parser.add_argument("--only", default="", help="cells whose name begins so")
    chosen = parser.parse_args()
    if chosen.what == "measure":
        measure(chosen.cache, chosen.rounds, chosen.only)
        return
    from scripts.evidence_drift_page import write

    write(current(chosen.cache))


if __name__ == "__main__":
    main()
