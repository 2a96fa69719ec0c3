"""Contents with all the files that they rest on: hashed before the contents are frozen, so that one hash covers all."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from types import MappingProxyType
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import yaml
from django.conf import settings

from reporting.dossier import numbers
from reporting.dossier.assemble import assemble
from reporting.dossier.bundle import indented
from reporting.dossier.charts.catalogue import draw
from reporting.dossier.charts.png import png
from reporting.dossier.charts.svg import svg
from reporting.dossier.contents import Contents, Evidence, Picture
from reporting.dossier.exchange import chai_xml, ml_bom
from reporting.dossier.pdf.looks import WIDTH
from reporting.dossier.recompute import README
from reporting.dossier.redaction import SMALL_CELL
from reporting.dossier.sources import Sources


def evidence_files(
    sources: Sources,
    summaries: dict[str, Any],
    *,
    salt: str,
    pictures: Mapping[str, bytes] = MappingProxyType({}),
    chai: bytes | None = None,
) -> tuple[Contents, dict[str, bytes]]:
    """The contents of the sources' audience, and the files by path that their ``files`` names.

    ``pictures`` are overlays by path; those that a block of this audience shows are kept. ``chai`` is the card in
    CHAI's XML where there is one; without it what the registry knows is written.
    """
    draft = assemble(sources, salt=salt)
    public = draft.identity.audience == "public"
    files: dict[str, bytes] = {}
    for figure in draft.figures():
        picture = draw(figure.chart, figure.data, width=WIDTH)
        files[f"figures/{figure.id}.svg"] = svg(picture, title=figure.title)
        files[f"figures/{figure.id}.png"] = png(picture)
    shown = {b.file for section in draft.sections for b in section.blocks if isinstance(b, Picture)}
    files |= {path: content for path, content in pictures.items() if path in shown}
    rows = [draft.evidence[key] for key in sorted(draft.evidence)]
    files["findings.json"] = indented([msgspec.to_builtins(row) for row in rows])
    files["findings.parquet"] = _parquet(rows)
    files["model-card.xml"] = chai or chai_of(sources)
    files["ml-bom.json"] = indented(ml_bom(draft, sources))
    files["coverage.json"] = indented(
        {"frameworks": sources.coverage or [], "absent": sources.absent.get("coverage", ["", ""])[0]}
    )
    files["recompute/states.json"] = indented(_open_summaries(summaries, draft) if public else summaries)
    files["recompute/README.md"] = README.encode()
    hashes = {path: sha256(content).hexdigest() for path, content in files.items()}
    # The files are named in section 24 too, so the contents are put together once more with their hashes.
    return assemble(replace(sources, files={**sources.files, **hashes}), salt=salt), files


def chai_of(sources: Sources) -> bytes:
    path = settings.BASE_DIR / "assurance" / "data" / "regulation" / "chai_model_card.yaml"
    return chai_xml(sources, yaml.safe_load(path.read_text(encoding="utf-8"))["requirements"])


def _open_summaries(summaries: dict[str, Any], contents: Contents) -> dict[str, Any]:
    """For the public: no values of single cases, no days, no sites, no small groups."""
    kept = [
        {**entry, "days": None, "stratum": ""}
        for entry in summaries["comparisons"]
        if not entry["stratum"]
        and entry["state"]["kind"] == "binned"
        and sum(entry["state"]["counts"].values()) >= SMALL_CELL
    ]
    used = {entry["reference"] for entry in kept}
    return {
        **summaries,
        "comparisons": kept,
        "days": [],
        "rankings": [],
        "charts": [],
        "outcomes": [],
        "references": {k: v for k, v in summaries["references"].items() if k in used},
    }


def _parquet(rows: list[Evidence]) -> bytes:
    """One row for each finding; nested parts as JSON text, numbers as numbers."""
    findings = [row.finding for row in rows]
    columns: dict[str, list[Any]] = {
        "evidence": [r.id for r in rows],
        "digest": [r.digest for r in rows],
        "family": [r.family for r in rows],
        "kind": [r.kind for r in rows],
    }
    for name in (
        "quantity",
        "signal",
        "value",
        "unit",
        "state",
        "effect",
        "n_cases",
        "n_patients",
        "minimum_n",
        "reference",
        "n_reference",
        "model_version",
        "input_digest",
        "reason",
    ):
        columns[name] = [f[name] for f in findings]
    for side in ("low", "high", "level"):
        columns[f"interval_{side}"] = [(f["interval"] or {}).get(side) for f in findings]
    columns["window_start"] = [(numbers.span(f) or {}).get("start") for f in findings]
    columns["window_end"] = [(numbers.span(f) or {}).get("end") for f in findings]
    for name in ("stratum", "method", "null", "details"):
        columns[name] = [msgspec.json.encode(f[name]).decode() for f in findings]
    whole, real = pa.int64(), pa.float64()
    kinds = {
        "value": real,
        "effect": real,
        "interval_low": real,
        "interval_high": real,
        "interval_level": real,
        "n_cases": whole,
        "n_patients": whole,
        "minimum_n": whole,
        "n_reference": whole,
    }
    table = pa.table({name: pa.array(values, type=kinds.get(name, pa.string())) for name, values in columns.items()})
    target = io.BytesIO()
    pq.write_table(table, target, compression="snappy")
    return target.getvalue()
