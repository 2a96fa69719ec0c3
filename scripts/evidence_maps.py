"""Grade the pneumonia classifier's maps on real chest radiographs and write the report card of each method.

    python -m scripts.evidence_maps [--cases 60] [--methods grad_cam ...]

Reads the shared data (VIGIL_SHARED_DATA) and writes docs/evidence/maps_pneumonia_classifier.{json,md}.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from assurance.adapters.catalogue import load_spec
from assurance.evidence.errors import NotComputable
from explainability.attribution.catalogue import EXPLAINERS
from explainability.attribution.question import Question
from explainability.case_images import CaseImage
from explainability.faithfulness.catalogue import CHECKS
from explainability.faithfulness.report_card import card
from explainability.services.mapping import graded_map

ROOT = Path(__file__).resolve().parent.parent
METHODS = (
    "grad_cam", "integrated_gradients", "gradient_shap", "smoothgrad", "saliency", "occlusion", "kernel_shap",
)  # fmt: skip


def chosen_cases(folder: Path, n: int) -> list[dict[str, str]]:
    """All radiographs with a lung mask, then equally many of each site in the order of the table."""
    with (folder / "metadata.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    masked = [row for row in rows if row["lung_mask"]]
    rest = [row for row in rows if not row["lung_mask"]]
    sites = sorted({row["site"] for row in rest})
    each = [[row for row in rest if row["site"] == site] for site in sites]
    mixed = [row for group in zip(*each, strict=False) for row in group]
    return (masked + mixed)[:n]


def read(path: Path) -> Any:
    return np.asarray(Image.open(path).convert("L"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=60)
    parser.add_argument("--methods", nargs="+", default=list(METHODS))
    parser.add_argument("--without", nargs="*", default=[], help="checks to leave out, where a method is dear")
    options = parser.parse_args()
    checks = [key for key in CHECKS if key not in options.without]
    folder = Path(os.environ.get("VIGIL_SHARED_DATA", ROOT.parent / "shared" / "data")) / "cxr"
    cases = chosen_cases(folder, options.cases)
    model = load_spec("monai-densenet")
    out = ROOT / "docs" / "evidence"
    out.mkdir(parents=True, exist_ok=True)
    document: dict[str, Any] = {
        "model": model.source, "weights_sha256": model.weights_sha256, "n_cases": len(cases),
        "files": [row["file"] for row in cases], "methods": {},
    }  # fmt: skip
    kept = out / "maps_pneumonia_classifier.json"
    if kept.exists() and (before := json.loads(kept.read_text()))["files"] == document["files"]:
        document["methods"] = before["methods"]  # methods that are not asked for now keep their card
    results = document["methods"]
    for method in options.methods:
        started = time.perf_counter()
        contents: list[Any] = []
        sentences: list[str] = []
        refused: dict[str, int] = {}
        wanted = EXPLAINERS[method].facts.get("references", 0)
        for row in cases:
            others = [read(folder / other["file"]) for other in cases if other is not row][:wanted]
            pixels = read(folder / row["file"])
            mask = folder / row["lung_mask"] if row["lung_mask"] else None
            truth = np.asarray(Image.open(mask).convert("L")) > 0 if mask else None
            asked = Question(model, pixels)
            try:
                made = graded_map(
                    model, CaseImage(pixels), method=method, truth=truth, checks=checks, question=asked,
                    references=others,
                )  # fmt: skip
            except NotComputable as refusal:
                refused[refusal.code] = refused.get(refusal.code, 0) + 1
                continue
            contents.append([finding.as_dict() for finding in made.report_card])
            sentences += [made.statements[0].text] if made.statements else []
        findings = card(contents, method=method, model_version=f"weights {model.weights_sha256[:12]}")
        results[method] = {
            "card": [finding.as_dict() for finding in findings], "seconds": round(time.perf_counter() - started, 1),
            "example": sentences[0], "refused": refused, "without": sorted(options.without),
        }  # fmt: skip
        print(method, findings[-1].state, findings[-1].reason, flush=True)
        kept.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
        kept.with_suffix(".md").write_text(page(document))


def page(document: dict[str, Any]) -> str:
    n = document["n_cases"]
    lines = [
        "# Report cards of the pneumonia classifier's maps", "",
        f"{n} chest radiographs of two hospitals: all that carry a reader's lung mask, then equally many of each site. "
        f"Weights `{document['weights_sha256'][:12]}`, written by `python -m scripts.evidence_maps`. All "
        "values with the digests of their inputs are in the JSON file beside this page.", "",
        "A row gives value, 95 % interval, number of cases and verdict. `insufficient` means fewer than 50 cases with "
        "a value, or a measure without an agreed limit. What each check means is in docs/methods.", "",
        "A verdict `act` bars the method from dossiers for these weights; its maps are kept. The same card lets a "
        "method pass on a network that finds what it was trained for, and exposes random weights and a marker "
        "planted in the corner: `tests/unit/test_faithfulness_checks.py`.", "",
    ]  # fmt: skip
    for method, result in document["methods"].items():
        whole = result["card"][-1]
        lines += [f"## {EXPLAINERS[method].title}: {whole['state']}", ""]
        if whole["reason"]:
            lines += [f"{whole['reason'].capitalize()}.", ""]
        for code, count in result["refused"].items():
            lines += [f"{count} of {n} cases got no map ({code}): outcomes of their own, not in the table.", ""]
        if result.get("note"):
            lines += [result["note"], ""]
        if result.get("without"):
            lines += [f"Not asked here: {', '.join(CHECKS[key].title.lower() for key in result['without'])}.", ""]
        lines += [f"> {result['example']}", "", "| check | value | 95 % interval | n | state |"]
        lines += ["|---|---|---|---|---|"]
        for content in result["card"][:-1]:
            title = CHECKS[content["quantity"].removeprefix("card_")].title
            value = "–" if content["value"] is None else f"{content['value']:.3f}"
            part = content["interval"]
            interval = f"{part['low']:.3f} to {part['high']:.3f}" if part else "–"
            lines.append(f"| {title} | {value} | {interval} | {content['n_cases']} | {content['state']} |")
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
