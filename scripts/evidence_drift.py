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
from pathlib import Path
from typing import Any

from scripts import evidence_drift_cells as ours
from scripts import evidence_drift_evidently as theirs
from scripts.evidence_drift_cells import Cell

CACHE = Path.home() / ".cache" / "vigil" / "evidence-drift"


def jobs(windows: int) -> Iterator[tuple[Cell, str, Callable[[Cell], dict[str, Any]]]]:
    """Every cell with the digest of the code it depends on and the function that measures it."""
    for cell in ours.planned(windows):
        yield cell, ours.code_digest(cell), ours.measured
    for cell in theirs.planned(windows):
        yield cell, theirs.VERSION, theirs.measured


def measure(cache: Path, windows: int, only: str) -> None:
    cache.mkdir(parents=True, exist_ok=True)
    for cell, digest, count in jobs(windows):
        path = cache / f"{cell.name}.json"
        if only not in cell.name or (path.exists() and json.loads(path.read_text())["code"] == digest):
            continue
        start = time.process_time()
        row = count(cell) | {"code": digest, "cpu_seconds": round(time.process_time() - start, 1)}
        part = path.with_suffix(".part")  # a run that is stopped leaves no half a cell
        part.write_text(json.dumps(row), encoding="utf-8")
        part.replace(path)
        sys.stderr.write(json.dumps(row) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("measure", "write"))
    parser.add_argument("--cache", type=Path, default=CACHE)
    parser.add_argument("--windows", type=int, default=2000, help="windows of a false-alarm cell")
    parser.add_argument("--only", default="", help="cells whose name holds this text")
    chosen = parser.parse_args()
    if chosen.what == "measure":
        measure(chosen.cache, chosen.windows, chosen.only)
        return
    from scripts.evidence_drift_page import write

    write([json.loads(path.read_text(encoding="utf-8")) for path in sorted(chosen.cache.glob("*.json"))])


if __name__ == "__main__":
    main()
