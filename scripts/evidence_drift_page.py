"""docs/evidence/drift.md with its tables, CSV files and plots, from the cells that were measured."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from scipy import stats

from assurance.metrics.proportions import wilson
from monitoring.drift.multiplicity import holm
from scripts.evidence_drift_cells import CASES, HARD, KINDS
from scripts.evidence_drift_evidently import NAMESAKES
from scripts.evidence_plots import line_chart
from scripts.evidence_simulations import SHIFTS, SIZES

OUT = Path(__file__).resolve().parent.parent / "docs" / "evidence"
PLACE = ("part", "key", "kind", "size", "shift", "change")
Row = dict[str, Any]


def write(cells: Iterable[Mapping[str, Any]]) -> None:
    rows = together(cells)
    parts: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        parts[row["part"]].append(row)
    texts = [INTRODUCTION]
    if parts["false_alarms"]:
        texts.append(false_alarms(parts["false_alarms"], parts["evidently_false_alarms"]))
    if parts["evidently_false_alarms"]:
        texts.append(evidently(parts["evidently_false_alarms"]))
    if parts["power"]:
        texts.append(power(parts["power"], parts["evidently_power"]))
    if parts["identification"]:
        texts.append(identification(parts["identification"]))
    (OUT / "drift.md").write_text("\n\n".join(texts) + "\n", encoding="utf-8")
    for name, held in ((name, held) for name, held in parts.items() if held):
        _csv(OUT / f"{name if name.startswith('evidently') else 'drift_' + name}.csv", held)


def together(cells: Iterable[Mapping[str, Any]]) -> list[Row]:
    """One row for each place, the counts of its rounds added up, in the order of detectors and sizes."""
    rows: dict[tuple[Any, ...], Row] = {}
    for cell in cells:
        place = tuple(cell[name] for name in PLACE)
        row = rows.setdefault(place, dict(zip(PLACE, place, strict=True)))
        for name, value in cell.items():
            if name in ("n", "test"):
                row[name] = value
            elif name not in (*PLACE, "chunk", "code", "cpu_seconds"):
                row[name] = row.get(name, 0) + value
    order = {case: at for at, case in enumerate((*CASES, *HARD))}
    return sorted(
        rows.values(),
        key=lambda row: (order.get((row["key"], row["kind"]), 99), row["kind"], row["key"], row["size"], row["shift"]),
    )


def false_alarms(rows: list[Row], theirs: list[Row]) -> str:
    beside = {(row["key"], row["kind"], row["size"]): row for row in theirs}
    titles = ("detector", "signal", "m", "windows", "p ≤ 0.05", "p ≤ 0.01", "watch or act", "Evidently's namesake")
    lines = ["## False alarms without drift", "", _verdict(rows), "", *_head(titles)]
    for row in rows:
        other = beside.get((NAMESAKES.get(row["key"], ""), row["kind"], row["size"]))
        cells = (row["key"], row["kind"], row["size"], row["windows"], _share(row, "p<=0.05"), _share(row, "p<=0.01"),
                 _share(row, "watch or act"), _called(other))  # fmt: skip
        lines.append("| " + " | ".join(str(cell) for cell in cells) + " |")
    lines += ["", *_plots("drift_false_alarms", rows, alarms=True)]
    return "\n".join(lines)


def _verdict(rows: list[Row]) -> str:
    """Rates that are above their level beyond chance, all cells and both levels taken together."""
    tests = [
        (row, level, float(stats.binom.sf(row[f"p<={level:g}"] - 1, row["windows"], level)))
        for row in rows for level in (0.05, 0.01)
    ]  # fmt: skip
    raised = holm([p for _, _, p in tests])
    beyond = [(row, level) for (row, level, _), p in zip(tests, raised, strict=True) if p <= 0.05]
    smallest = min(row["windows"] for row in rows)
    missing = sorted({f"{key} ({kind})" for key, kind in (*CASES, *HARD)} - {f"{r['key']} ({r['kind']})" for r in rows})
    short = f" Not measured yet on this code: {', '.join(missing)}." if missing else ""
    text = (
        f"{len(rows)} cells of at least {smallest:,} windows, each measured at two levels. A rate whose excess over "
        "its level cannot be chance (exact one-sided binomial test, Holm over all of them at 0.05) is a defect: "
    )
    if not beyond:
        return text + "there is none." + short
    return text + "; ".join(
        f"**{row['key']} ({row['kind']}, m {row['size']}) at {level:g}: {_share(row, f'p<={level:g}')}**"
        for row, level in beyond
    )


def evidently(rows: list[Row]) -> str:
    titles = ("method", "signal", "n", "m", "windows", "calls drift", "cannot judge")
    lines = ["## Evidently on the same windows", "", EVIDENTLY, "", *_head(titles)]
    for row in sorted(rows, key=lambda one: (one["kind"], one["key"], one["size"])):
        name = f"{row['key']} ({row['test']})" if row["key"].startswith("default") else row["key"]
        cells = (name, row["kind"], row["n"], row["size"], row["windows"], _called(row), row["refused"])
        lines.append("| " + " | ".join(str(cell) for cell in cells) + " |")
    return "\n".join(lines)


def power(rows: list[Row], theirs: list[Row]) -> str:
    titles = ("detector", "signal", "change", "m", "windows each", *(f"{shift:g}" for shift in SHIFTS))
    lines = ["## Power", "", POWER, "", *_head(titles)]
    for place, held in _by(rows, "key", "kind", "change", "size").items():
        shown = [f"{r['p<=0.01'] / r['windows']:.2f} ({r['watch or act'] / r['windows']:.2f})" for r in held.values()]
        least = min(row["windows"] for row in held.values())
        lines.append("| " + " | ".join(str(cell) for cell in (*place, least, *shown)) + " |")
    for place, held in _by(theirs, "key", "kind", "change", "size").items():
        shown = [f"{r['drift called'] / r['windows']:.2f}" for r in held.values()]
        least = min(row["windows"] for row in held.values())
        lines.append("| Evidently: " + " | ".join(str(cell) for cell in (*place, least, *shown)) + " |")
    means = [row for row in rows if row["change"] == "mean" and row["size"] == 300]
    lines += ["", *_plots("drift_power", means, alarms=False)]
    return "\n".join(lines)


def identification(rows: list[Row]) -> str:
    titles = ("law", "truth", "windows", *KINDS, "unclear", "right where decided")
    lines = ["## Which kind of shift", "", KIND_OF_SHIFT, "", *_head(titles)]
    totals: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for row in sorted(rows, key=lambda one: (one["key"], KINDS.index(one["kind"]))):
        decided = sum(row[kind] for kind in KINDS[1:])
        right = row[row["kind"]] if row["kind"] != "none" else 0
        totals[row["key"]][0] += right
        totals[row["key"]][1] += decided
        shown = f"{right} of {decided}" if row["kind"] != "none" else f"{decided} false"
        cells = (row["key"], row["kind"], row["windows"], *(row[kind] for kind in (*KINDS, "unclear")), shown)
        lines.append("| " + " | ".join(str(cell) for cell in cells) + " |")
    for world, (right, decided) in totals.items():
        span = wilson(right, decided) if decided else None
        if span:
            lines += ["", TOTAL.format(world=world, right=right, decided=decided, share=right / decided, span=span)]
    return "\n".join(lines)


def _head(titles: Iterable[str]) -> list[str]:
    held = list(titles)
    return ["| " + " | ".join(held) + " |", "|" + "---|" * len(held)]


def _share(row: Row, name: str) -> str:
    span = wilson(row[name], row["windows"])
    return f"{row[name] / row['windows']:.4f} ({span.low:.4f}–{span.high:.4f})"


def _called(row: Row | None) -> str:
    if row is None or row["refused"] == row["windows"]:
        return "–"
    judged = row["windows"] - row["refused"]
    return f"{row['drift called'] / judged:.3f} of {judged}"


def _by(rows: list[Row], *names: str) -> dict[tuple[Any, ...], dict[float, Row]]:
    found: dict[tuple[Any, ...], dict[float, Row]] = defaultdict(dict)
    for row in rows:
        found[tuple(row[name] for name in names)][row["shift"]] = row
    return {place: held for place, held in found.items() if len(held) == len(SHIFTS)}


def _plots(name: str, rows: list[Row], *, alarms: bool) -> list[str]:
    """One picture for each kind of signal, seven lines at most; the Markdown that shows them."""
    shown = []
    for kind in dict.fromkeys(row["kind"] for row in rows):
        keys = list(dict.fromkeys(row["key"] for row in rows if row["kind"] == kind))
        for part, start in enumerate(range(0, len(keys), 7)):
            series = {key: _line(rows, key, kind, alarms=alarms) for key in keys[start : start + 7]}
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
            file = f"{name}_{kind}{f'_{part + 1}' if len(keys) > 7 else ''}.svg"
            (OUT / file).write_text(text, encoding="utf-8")
            shown.append(f"![{'False alarms' if alarms else 'Power'}, {kind}]({file})")
    return shown


def _line(rows: list[Row], key: str, kind: str, *, alarms: bool) -> list[tuple[float, float]]:
    across, up = ("size", "p<=0.05") if alarms else ("shift", "p<=0.01")
    return [(row[across], row[up] / row["windows"]) for row in rows if (row["key"], row["kind"]) == (key, kind)]


def _csv(path: Path, rows: list[Row]) -> None:
    names = list(dict.fromkeys(name for row in rows for name in row if name != "part"))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


INTRODUCTION = """# What the drift detectors do on windows whose truth is known

Simulated by `python -m scripts.evidence_drift measure` and written by `python -m scripts.evidence_drift write`.
Every window has a reference of its own (2,000 cases; 400 for embeddings), so that windows are independent and the
95 % Wilson intervals in brackets hold. The laws stand in `scripts/evidence_simulations.py`: gamma(2) numbers,
`heavy` tails and `tied` values against references of 300, four levels, embeddings of eight correlated coordinates,
softmax scores of three classes. Permutation detectors deal patients 199 times here instead of 999, for which p ≤
0.05 and p ≤ 0.01 are exact levels. The state (`watch or act`) needs evidence at 0.01 and an effect that matters,
and is withheld (`insufficient`) from windows that are too small to show one."""
EVIDENTLY = """Its tests at its own default thresholds; `default_n` is the test that it picks by itself for a
reference of n cases. `g_test` cannot judge windows whose size differs from the reference's."""
POWER = """Share of windows with p ≤ 0.01, by the size of the shift in sd of the reference (for embeddings:
Mahalanobis, along one axis of eight); in brackets the share with state watch or act. `spread`: the
sd grows by that share instead, the mean stays. Evidently's rows are the share that its own default
threshold calls drifted."""
KIND_OF_SHIFT = """Windows whose kind is known. `first`: the law on which the rule's thresholds were chosen, with other
seeds; `second`: another law that was never used for choosing (16 features, a rarer finding, a model
that is not calibrated). Both stand in `scripts/evidence_simulations.py`. Right where decided: of
the windows for which prevalence, covariate or both was told."""
TOTAL = """Law `{world}`: right in {right} of {decided} decided windows, {share:.3f} (95 % Wilson interval
{span.low:.3f} to {span.high:.3f}); what was told of windows without shift counts as wrong."""
