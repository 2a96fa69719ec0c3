"""Drift between real hospitals: docs/evidence/drift_hospitals.md from images and predictions in ``VIGIL_SHARED_DATA``.

``python -m scripts.evidence_drift_hospitals``. The folder holds ``cxr`` (radiographs of NIH and Hannover with their
metadata) and ``predictions`` (one classifier's scores at three hospitals); its absence is said, not covered up.
"""

from __future__ import annotations

import csv
import os
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from assurance.evidence.errors import NotComputable
from assurance.evidence.finding import Finding
from monitoring.drift.catalogue import DETECTORS
from monitoring.drift.categories import CategoryState
from monitoring.drift.concordance import Statistic, concordance, reference_spread
from monitoring.drift.distribution import distribution
from monitoring.drift.drivers import rank_drivers
from monitoring.drift.multiplicity import benjamini_hochberg
from monitoring.drift.standardised import standardised
from monitoring.intake.image_quality import quality_panel

OUT = Path(__file__).resolve().parent.parent / "docs" / "evidence"
SPLITS = 200
SCORED = ("w1_sd", "ks", "psi", "js")
Columns = dict[str, NDArray[Any]]


def main() -> int:
    folder = Path(os.environ.get("VIGIL_SHARED_DATA", ""))
    if not (folder / "cxr" / "metadata.csv").is_file():
        sys.stderr.write(f"VIGIL_SHARED_DATA is {folder}: it holds no cxr/metadata.csv, so nothing can be measured\n")
        return 2
    scores, images = scores_by_hospital(folder), images_by_hospital(folder)
    texts = [INTRODUCTION, _scores_text(scores), _images_text(images), _reasons_text(images)]
    (OUT / "drift_hospitals.md").write_text("\n\n".join(texts) + "\n", encoding="utf-8")
    return 0


def scores_by_hospital(folder: Path) -> dict[str, NDArray[np.float64]]:
    """One classifier's scores, one image for each patient: reference, then the hospitals it was moved to."""
    found: dict[str, list[float]] = defaultdict(list)
    seen: set[tuple[str, str]] = set()
    with (folder / "predictions" / "cxr_multisite_pneumonia_predictions.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            name = row["site"].split(",")[0]
            who = (name, row["patient_id"] or row["file"])
            if who not in seen:
                seen.add(who)
                found[name].append(float(row["prob_pneumonia"]))
    return {name: np.array(values) for name, values in found.items()}


def images_by_hospital(folder: Path, *, most: int | None = None) -> dict[str, Columns]:
    """Image quality, view and sex of the first image of each patient at NIH and Hannover."""
    with (folder / "cxr" / "metadata.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    found: dict[str, Columns] = {}
    for name, prefix in (("NIH", "nih/"), ("Hannover", "hannover/")):
        first = {row["patient_id"]: row for row in reversed(rows) if row["file"].startswith(prefix)}
        kept = list(first.values())[:most]
        panels = []
        for row in kept:
            with Image.open(folder / "cxr" / row["file"]) as picture:
                panels.append(quality_panel(np.asarray(picture.convert("L")), bit_depth=8))
        columns: Columns = {
            key: np.array([panel.get(key, np.nan) for panel in panels]) for key in panels[0] if key != "q_bit_depth"
        }
        for key in ("view", "sex"):
            columns[key] = np.array([row[key] or None for row in kept], dtype=object)
        found[name] = columns
    return found


def compared(before: Columns, after: Columns) -> dict[str, Finding]:
    """The primary finding of each signal: W1/σ for numbers, χ² with V for levels."""
    found = {}
    for name, values in before.items():
        if values.dtype == object:
            found[name] = DETECTORS.load("chi_square")(
                CategoryState.from_values(values), CategoryState.from_values(after[name])
            )
        else:
            found[name] = DETECTORS.load("w1_sd")(values, after[name])
    return found


def index_of(before: Columns, found: dict[str, Finding]) -> Finding:
    terms = {}
    for name, one in found.items():
        if one.quantity == "w1_sd" and one.value is not None:
            mean, sd = reference_spread(distribution(before[name], name=name), m=one.n_cases, seed=0)
            terms[name] = Statistic(one.value, mean, sd, "image")
        elif one.value is not None:
            df = float(one.details["df"])
            terms[name] = Statistic(float(one.details["chi_square"]), df, float(np.sqrt(2 * df)), "tags")
    return concordance(terms, m=max(one.n_cases for one in found.values()))


def _scores_text(scores: dict[str, NDArray[np.float64]]) -> str:
    names = list(scores)
    first = f"Reference: {names[0]}, n = {scores[names[0]].size}. The last pair is a control: two random halves of it."
    lines = ["## The scores of one model at three hospitals", "", first, "",
             "| hospital | m | statistic | value | chance, 99 % | p | like a shift of | state |",
             "|---|---|---|---|---|---|---|---|"]  # fmt: skip
    pairs = [(name, scores[names[0]], scores[name]) for name in names[1:]]
    mixed = np.random.default_rng(0).permutation(scores[names[0]])
    pairs.append(("the reference's own halves", mixed[::2], mixed[1::2]))
    for name, before, after in pairs:
        for key in SCORED:
            one = DETECTORS.load(key)(before, after)
            lines.append(_row(name, after.size, key, one))
    return "\n".join(lines)


def _row(name: str, m: int, key: str, one: Finding) -> str:
    limit = one.null.quantiles["0.99"] if one.null else float("nan")
    p = one.null.p_value if one.null and one.null.p_value is not None else float("nan")
    effect = f"{one.effect:.2f} sd" if one.effect is not None else "–"
    value = "–" if one.value is None else f"{one.value:.3f}"
    return f"| {name} | {m} | {key} | {value} | {limit:.3f} | {p:.2g} | {effect} | {one.state.value} |"


def quiet_rates(columns: Columns, *, splits: int = SPLITS, seed: int = 0) -> dict[str, tuple[int, int]]:
    """How often two random halves of one hospital differ, by signal: splits with p ≤ 0.01, and with watch or act."""
    rng = np.random.default_rng(seed)
    found = dict.fromkeys(columns, (0, 0))
    for _ in range(splits):
        order = rng.permutation(len(next(iter(columns.values()))))
        half = order.size // 2
        sides = [{name: values[part] for name, values in columns.items()} for part in (order[:half], order[half:])]
        for name, one in compared(*sides).items():
            p_value = one.null.p_value if one.null else None
            spoke = p_value is not None and p_value <= 0.01
            moved = one.state.value in ("watch", "act")
            found[name] = (found[name][0] + spoke, found[name][1] + moved)
    return found


def _images_text(images: dict[str, Columns]) -> str:
    nih, hannover = images["NIH"], images["Hannover"]
    found, quiet = compared(nih, hannover), quiet_rates(nih)
    n, m = (len(side["view"]) for side in (nih, hannover))
    p_values = [one.null.p_value if one.null and one.null.p_value is not None else 1.0 for one in found.values()]
    raised = dict(zip(found, benjamini_hochberg(p_values), strict=True))
    crude = dict(zip(found, p_values, strict=True))
    lines = ["## The images: NIH and Hannover", "", IMAGES.format(n=n, m=m, splits=SPLITS), "",
             "| signal | statistic | value | p | p, all | like a shift of | state | NIH halves, p ≤ 0.01 | alarm |",
             "|---|---|---|---|---|---|---|---|---|"]  # fmt: skip
    for name in sorted(found, key=lambda key: (crude[key], -(found[key].value or 0))):
        one, (spoke, moved) = found[name], quiet[name]
        effect = f"{one.effect:.2f} sd" if one.effect is not None else "–"
        value = "–" if one.value is None else f"{one.value:.3f}"
        cells = (name, one.quantity, value, f"{crude[name]:.2g}", f"{raised[name]:.2g}", effect, one.state.value,
                 f"{spoke} of {SPLITS}", f"{moved} of {SPLITS}")  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    order = np.random.default_rng(1).permutation(n)
    halves = [{name: values[part] for name, values in nih.items()} for part in (order[: n // 2], order[n // 2 :])]
    index, calm = index_of(nih, found), index_of(halves[0], compared(*halves))
    spoken = sum(spoke for spoke, _ in quiet.values())
    lines += ["", f"Two halves of NIH differ at p ≤ 0.01 in {spoken} of {SPLITS * len(quiet)} comparisons "
                  f"({spoken / SPLITS / len(quiet):.4f}). Concordance index {index.value:.2f} sd for Hannover, "
                  f"{calm.value:.2f} sd for one pair of halves of NIH; 0 is what windows of the reference give, and "
                  "each term is cut at 10."]  # fmt: skip
    return "\n".join(lines)


def _reasons_text(images: dict[str, Columns]) -> str:
    nih, hannover = images["NIH"], images["Hannover"]
    lines = ["## Why", "", "Features by their part in telling Hannover from NIH (linear classifier, Shapley):", "",
             "| feature | share |", "|---|---|"]  # fmt: skip
    lines += [f"| {one.feature} | {one.share:.2f} |" for one in rank_drivers(nih, hannover)[:6]]
    views = {name: CategoryState.from_values(side["view"]).counts for name, side in images.items()}
    lines += ["", "Views: " + "; ".join(
        f"{name} " + ", ".join(f"{level} {count}" for level, count in sorted(counts.items()))
        for name, counts in views.items()
    ) + "."]  # fmt: skip
    lines += ["", "W1/σ after giving Hannover the views of NIH (direct standardisation), for what moved most:", "",
              "| signal | crude | standardised to view | explained by view | state then |",
              "|---|---|---|---|---|"]  # fmt: skip
    found = compared(nih, hannover)
    moved = sorted((name for name in found if found[name].quantity == "w1_sd"), key=lambda k: -(found[k].value or 0))
    for name in moved[:6]:
        cells = [[f"view={view}" for view in side["view"]] for side in (nih, hannover)]
        try:
            one = standardised(nih[name], hannover[name], reference_cells=cells[0], current_cells=cells[1])
            lines.append(f"| {name} | {one.crude.value:.3f} | {one.finding.value:.3f} | {one.explained:.0%} | "
                         f"{one.finding.state.value} |")  # fmt: skip
        except NotComputable as refusal:
            lines.append(f"| {name} | {found[name].value:.3f} | – | – | not computable: {refusal.message} |")
    return "\n".join(lines)


INTRODUCTION = """# Drift between real hospitals

Made by `python -m scripts.evidence_drift_hospitals` from public data: the scores of one pneumonia classifier at the
hospital whose children it was tested on (PneumoniaMNIST, Guangzhou) and at two others with adults, and the
radiographs of these two (ChestX-ray14 of the NIH Clinical Center, and the COVID-19 cohort of Hannover Medical
School), at 384 pixels. One image for each patient. What is compared are windows of whole hospitals, as after a move
of a device; images and patients differ in more ways than are recorded, so the reasons given are associations."""
IMAGES = """{n} patients at NIH, {m} at Hannover, the first image of each. The last two columns are a control on real
data: {splits} random divisions of NIH into halves, where nothing should be found."""


if __name__ == "__main__":
    sys.exit(main())
