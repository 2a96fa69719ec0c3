"""Fail when a link in a Markdown file leads nowhere, or a catalogue entry has no page in docs/methods."""

import re
import sys
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
SKIPPED = {".venv", "var", "build", ".git"}
CATALOGUES = (
    "monitoring.drift.catalogue:DETECTORS",
    "monitoring.sequential.catalogue:SEQUENTIAL",
    "monitoring.estimation.catalogue:ESTIMATORS",
    "assurance.metrics.catalogue:METRICS",
    "explainability.attribution.catalogue:EXPLAINERS",
    "explainability.faithfulness.catalogue:CHECKS",
    "generalizability.shifts.catalogue:SHIFTS",
)


def dead_links() -> list[str]:
    dead = []
    for page in sorted(ROOT.rglob("*.md")):
        if SKIPPED & set(page.relative_to(ROOT).parts):
            continue
        for target in LINK.findall(page.read_text(encoding="utf-8")):
            path = target.partition("#")[0]
            if path and "://" not in path and not path.startswith("mailto:") and not (page.parent / path).exists():
                dead.append(f"{page.relative_to(ROOT)}: {target} leads nowhere")
    return dead


def methods_without_page() -> list[str]:
    missing = []
    for address in CATALOGUES:
        module, _, name = address.partition(":")
        for key in getattr(import_module(module), name):
            if not (ROOT / "docs" / "methods" / f"{key}.md").exists():
                missing.append(f"docs/methods/{key}.md is missing ({address})")
    return missing


def main() -> int:
    problems = dead_links() + methods_without_page()
    print("\n".join(problems) or "docs: every link leads somewhere, every method has its page")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
