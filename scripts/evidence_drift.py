"""Measure the drift detectors on simulated windows and write docs/evidence/drift_*.csv and their plots.

``python -m scripts.evidence_drift`` measures everything (about 25 minutes on one core); ``--only`` one part,
``--windows`` fewer windows. Evidently's default tests are called directly, on the same windows.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from assurance.evidence.finding import State
from assurance.metrics.proportions import wilson
from monitoring.drift.catalogue import DETECTORS
from scripts.evidence_plots import line_chart
from scripts.evidence_simulations import REFERENCE_SIZE, SHIFTS, SIZES, simulated

OUT = Path(__file__).resolve().parent.parent / "docs" / "evidence"
PER_REFERENCE = 20  # windows that share a reference: false alarms are averaged over references too
# Fewer deals than the default 999, so that thousands of windows stay affordable. p ≤ 0.05 and 0.01 are exact with 199.
FEWER: dict[str, dict[str, Any]] = {
    "rff_mmd": {"permutations": 199, "features": 128},
    "c2st": {"permutations": 199},
    "frechet": {"permutations": 99},
}
CASES = [(key, kind) for key in DETECTORS for kind in DETECTORS[key].facts["signals"]]
POWER_WINDOWS = {"rff_mmd": 200, "c2st": 200, "frechet": 100, "knn_ood": 200, "mahalanobis_ood": 200}
LEVELS = (0.05, 0.01)
SLOW = {"rff_mmd", "c2st", "frechet", "knn_ood", "mahalanobis_ood", "total_variation"}


def outcomes(key: str, kind: str, size: int, windows: int, *, shift: float = 0.0, seed: int = 0) -> Iterator[Any]:
    """Findings of ``windows`` windows of ``size`` cases, ``PER_REFERENCE`` for each reference."""
    rng = np.random.default_rng([seed, size, round(shift * 100), *kind.encode()])  # the same windows for all detectors
    detect = DETECTORS.load(key)
    for number in range(windows):
        if number % PER_REFERENCE == 0:
            reference = simulated(kind, rng, REFERENCE_SIZE[kind])
        # one seed for the laws that are drawn once for all windows, as a plan has it; another for each dealing
        own_seed = number if kind == "embedding" else 0
        yield detect(reference, simulated(kind, rng, size, shift=shift), seed=own_seed, **FEWER.get(key, {}))


def false_alarms(count: int) -> list[dict[str, Any]]:
    """Share of windows without drift whose p-value is at or below a level, and whose state is watch or act."""
    rows = []
    for key, kind in CASES:
        for size in SIZES:
            start = time.process_time()
            windows = count if key in SLOW else 2 * count  # the cheap ones can afford more
            found = list(outcomes(key, kind, size, windows))
            p_values = np.array([finding.null.p_value for finding in found])
            row: dict[str, Any] = {
                "detector": key,
                "signal": kind,
                "m": size,
                "n": REFERENCE_SIZE[kind],
                "windows": windows,
            }
            for level in LEVELS:
                hits = int((p_values <= level).sum())
                span = wilson(hits, windows)
                row |= {f"p<={level:g}": hits / windows, f"p<={level:g} low": span.low, f"p<={level:g} high": span.high}
            row["watch or act"] = np.mean([finding.state in (State.WATCH, State.ACT) for finding in found])
            row["act"] = np.mean([finding.state is State.ACT for finding in found])
            row["insufficient"] = np.mean([finding.state is State.INSUFFICIENT for finding in found])
            rows.append(row)
            say(f"{key:>18} {kind:<12} m {size:<5} p<=0.05 {row['p<=0.05']:.4f} p<=0.01 {row['p<=0.01']:.4f} "
                f"alarm {row['watch or act']:.4f}  {time.process_time() - start:.1f} s")  # fmt: skip
    return rows


def power(windows: int) -> list[dict[str, Any]]:
    """Share of drifted windows of 300 cases with evidence at 0.01, and with state watch or act, and act."""
    rows = []
    for key, kind in CASES:
        for shift in SHIFTS:
            count = min(windows, POWER_WINDOWS.get(key, 400))
            found = list(outcomes(key, kind, 300, count, shift=shift, seed=1))
            rows.append({
                "detector": key, "signal": kind, "m": 300, "n": REFERENCE_SIZE[kind], "shift_sd": shift,
                "windows": count, "p<=0.01": np.mean([finding.null.p_value <= 0.01 for finding in found]),
                "watch or act": np.mean([finding.state in (State.WATCH, State.ACT) for finding in found]),
                "act": np.mean([finding.state is State.ACT for finding in found]),
            })  # fmt: skip
            say(f"{key:>18} {kind:<12} shift {shift} evidence {rows[-1]['p<=0.01']:.3f}")
    return rows


def evidently_false_alarms(windows: int) -> list[dict[str, Any]]:
    """The same windows without drift, judged by the test and threshold that Evidently picks by itself."""
    warnings.simplefilter("ignore")
    import pandas as pd
    from evidently.legacy.calculations.stattests.registry import get_stattest
    from evidently.legacy.core import ColumnType

    rows = []
    for kind, column in (("numeric", ColumnType.Numerical), ("categorical", ColumnType.Categorical)):
        for n in (1000, REFERENCE_SIZE[kind]):
            for size in SIZES:
                rng = np.random.default_rng([2, size, n, *kind.encode()])
                drifted, name = 0, ""
                for number in range(windows):
                    if number % PER_REFERENCE == 0:
                        reference = pd.Series(simulated(kind, rng, n))
                    current = pd.Series(simulated(kind, rng, size))
                    test = get_stattest(reference, current, column, None)
                    name = test.name
                    drifted += bool(test(reference, current, column, None).drifted)
                span = wilson(drifted, windows)
                rows.append({"method": name, "signal": kind, "m": size, "n": n, "windows": windows,
                             "drift called": drifted / windows, "low": span.low, "high": span.high})  # fmt: skip
                say(f"evidently {name:<16} {kind:<12} n {n} m {size:<5} {drifted / windows:.4f}")
    return rows + evidently_embeddings(max(200, windows // 10))


def evidently_embeddings(windows: int) -> list[dict[str, Any]]:
    """Its four embedding methods at their defaults (the bootstrap for n ≤ 1000, as it chooses)."""
    import pandas as pd
    from evidently.legacy.metrics.data_drift import embedding_drift_methods as methods

    rows = []
    for name in ("model", "distance", "ratio", "mmd"):
        for size in (100, 300):
            rng = np.random.default_rng([3, size, *name.encode()])
            count = windows if name != "mmd" else min(windows, 50)
            drifted = 0
            for number in range(count):
                if number % PER_REFERENCE == 0:
                    reference = pd.DataFrame(simulated("embedding", rng, REFERENCE_SIZE["embedding"]))
                current = pd.DataFrame(simulated("embedding", rng, size))
                made = getattr(methods, name)()
                drifted += bool(made(current.copy(), reference.copy())[1])
            span = wilson(drifted, count)
            rows.append({"method": f"embedding {name}", "signal": "embedding", "m": size,
                         "n": REFERENCE_SIZE["embedding"], "windows": count, "drift called": drifted / count,
                         "low": span.low, "high": span.high})  # fmt: skip
            say(f"evidently {name:<16} embedding    m {size:<5} {drifted / count:.4f}")
    return rows


def write(name: str, rows: list[dict[str, Any]]) -> None:
    OUT.mkdir(parents=True, exist_ok=True)
    with (OUT / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows({k: f"{v:.5g}" if isinstance(v, float) else v for k, v in row.items()} for row in rows)


def plots(name: str, rows: list[dict[str, Any]]) -> None:
    """One picture for each kind of signal; more than seven lines are divided among several."""
    alarms = name == "drift_false_alarms"
    across, up = ("m", "p<=0.05") if alarms else ("shift_sd", "p<=0.01")
    for kind in dict.fromkeys(row["signal"] for row in rows):
        keys = list(dict.fromkeys(row["detector"] for row in rows if row["signal"] == kind))
        for part, start in enumerate(range(0, len(keys), 7)):
            series = {
                key: [(row[across], row[up]) for row in rows if (row["detector"], row["signal"]) == (key, kind)]
                for key in keys[start : start + 7]
            }
            if alarms:
                text = line_chart(
                    series, title=f"No drift: share of windows with p ≤ 0.05 ({kind})", x_title="cases in the window",
                    y_title="share of windows", x_ticks=SIZES, y_ticks=(0, 0.02, 0.04, 0.06, 0.08, 0.1), limit=0.05,
                    limit_name="stated level",
                )  # fmt: skip
            else:
                text = line_chart(
                    series, title=f"Shift, 300 cases: share with p ≤ 0.01 ({kind})", x_title="shift in sd",
                    y_title="share of windows", x_ticks=SHIFTS, y_ticks=(0, 0.2, 0.4, 0.6, 0.8, 1.0),
                )  # fmt: skip
            suffix = f"_{part + 1}" if len(keys) > 7 else ""
            (OUT / f"{name}_{kind}{suffix}.svg").write_text(text, encoding="utf-8")


def say(text: str) -> None:
    sys.stderr.write(text + "\n")


PARTS: dict[str, Callable[[int], list[dict[str, Any]]]] = {
    "drift_false_alarms": false_alarms,
    "drift_power": power,
    "evidently_false_alarms": evidently_false_alarms,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--windows", type=int, default=2000)
    parser.add_argument("--only", choices=list(PARTS))
    chosen = parser.parse_args()
    for name, measure in PARTS.items():
        if chosen.only in (None, name):
            rows = measure(chosen.windows)
            write(name, rows)
            if name.startswith("drift_"):
                plots(name, rows)


if __name__ == "__main__":
    main()
