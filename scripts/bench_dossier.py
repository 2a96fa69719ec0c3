"""How fast and how large: setting dossiers of about 30 to 600 pages with tables and charts, each in its own process.

The peers set the same rows as one plain table: ReportLab's own ``LongTable``, and fpdf2 where it is installed.
"""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Any

SIZES = {
    "30 pages": 7,
    "100 pages": 53,
    "300 pages": 191,
    "600 pages": 401,
}  # windows of 28 days that give about so many pages


def results() -> Iterator[dict[str, Any]]:
    measured = {name: _child("vigil", windows) for name, windows in SIZES.items()}
    for name, found in measured.items():
        rate = found["pages"] / found["cpu"]
        yield {
            "name": f"dossier of {name}: setting",
            "value": round(rate, 1),
            "unit": "pages/s of processor time",
            "n": found["pages"],
        }
        yield {
            "name": f"dossier of {name}: peak memory above the empty process",
            "value": round(found["peak_mb"], 1),
            "unit": "MB",
            "n": found["pages"],
        }
    large = measured["300 pages"]
    yield {
        "name": "dossier of 300 pages: build time",
        "value": round(large["seconds"], 2),
        "unit": "s",
        "n": large["pages"],
    }
    longest, middle = measured["600 pages"], measured["100 pages"]
    further = longest["pages"] - middle["pages"]
    yield {
        "name": "memory for each page after the hundredth (the file's own bytes included)",
        "unit": "KB",
        "n": further,
        "value": round(1000 * (longest["peak_mb"] - middle["peak_mb"]) / further, 1),
    }
    yield {
        "name": "bytes of the file for each page",
        "unit": "KB",
        "n": longest["pages"],
        "value": round(longest["bytes"] / 1000 / longest["pages"], 1),
    }
    for peer in ("reportlab LongTable", *(["fpdf2"] if find_spec("fpdf") else [])):
        found = _child(peer, SIZES["300 pages"])
        rate, own = found["pages"] / found["cpu"], large["pages"] / large["cpu"]
        yield {
            "name": "the same rows as a plain table",
            "value": round(rate, 1),
            "unit": "pages/s of processor time",
            "n": found["pages"],
            "peer": peer,
            "ratio": round(own / rate, 2),
        }
        yield {
            "name": "the same rows as a plain table: peak memory",
            "value": round(found["peak_mb"], 1),
            "unit": "MB",
            "n": found["pages"],
            "peer": peer,
            "ratio": round(large["peak_mb"] / found["peak_mb"], 2) if found["peak_mb"] else None,
        }


def _child(what: str, windows: int) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.bench_dossier", what, str(windows)], capture_output=True, text=True, check=True
    )
    return dict(json.loads(done.stdout))


def _contents(windows: int) -> bytes:
    """A dossier's frozen contents with four signals, three strata and five quantities a window."""
    from assurance.evidence.finding import Finding, Interval, Method, NullLaw, State, Window
    from records.canonical import content_hash
    from reporting.dossier.assemble import assemble
    from reporting.dossier.contents import Evidence, Identity, freeze
    from reporting.dossier.kinds import evidence_kind
    from reporting.dossier.sources import Sources

    method = Method("w1_sd", "vigil", "1", {"watch": 0.2, "act": 0.5, "alpha_act": 0.001, "alpha_watch": 0.01}, 0)
    found = []
    for number in range(windows):
        start = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(days=28 * number)
        for signal in ("score", "q_noise", "q_snr", "meta_age", ""):
            for site in ("", "north", "south", "east"):
                value = (hash_share(f"{number}{signal}{site}") + 0.05) * 0.4
                finding = Finding(
                    "w1_sd" if signal else "auroc",
                    value,
                    "sd" if signal else "1",
                    State.OK,
                    600,
                    method,
                    "ab" * 32,
                    signal=signal,
                    window=Window(start, start + timedelta(days=28)),
                    stratum={"site": site} if site else {},
                    n_reference=2000,
                    interval=None if signal else Interval(value - 0.01, value + 0.01, 0.95, "delong"),
                    reference="Acceptance 0011",
                    null=NullLaw("bridge", {"0.99": 0.1}, 0.2) if signal else None,
                    n_patients=590,
                    model_version="Device 1.0",
                )
                content = finding.as_dict()
                family = "performance" if not signal else "output" if signal == "score" else "input"
                digest = content_hash(content)
                found.append(
                    Evidence(
                        id=digest[:12],
                        digest=digest,
                        family=family,
                        kind=evidence_kind(family, content),
                        finding=content,
                    )
                )
    facts = dict.fromkeys(("programme", "submission", "submission_state", "supersedes", "organisation", "instance"), "")
    identity = Identity(
        number="D-2026-0001",
        title="Bench",
        purpose="Bench",
        audience="regulator",
        deployment="Bench",
        developer="Bench",
        model="Device",
        version="1.0",
        weights_sha256="a" * 64,
        start="2020-01-01T00:00:00+00:00",
        end="2030-01-01T00:00:00+00:00",
        frozen_at="2026-11-24T00:00:00+00:00",
        built_by="bench",
        software={},
        **facts,
    )
    names = ("preprocessing", "thresholds", "input_contract", "output_contract")
    version = dict.fromkeys(
        (
            "model",
            "version",
            "task",
            "modality",
            "adapter_key",
            "licence",
            "weights_sha256",
            "preprocessing_sha256",
            "thresholds_sha256",
            "container_digest",
            "known_contamination",
        ),
        "x",
    )
    sources = Sources(identity, tuple(found), version | {"pretraining_sources": []} | {name: {} for name in names}, [])
    return freeze(assemble(sources, salt="bench"))


def hash_share(text: str) -> float:
    return hashlib.sha256(text.encode()).digest()[0] / 255


def _set(content: bytes) -> bytes:
    from reporting.dossier.pdf.document import render

    return render(content, content_sha256=hashlib.sha256(content).hexdigest())


def _rows(content: bytes) -> list[list[str]]:
    evidence = json.loads(content)["evidence"]
    rows = []
    for key, item in evidence.items():
        f = item["finding"]
        rows.append([key, f["quantity"], f["signal"], f"{f['value']:.4f}", str(f["n_cases"]), f["state"]])
        rows.append(
            ["", f["method"]["key"], "window", f["window"]["start"][:10], f["window"]["end"][:10], f["reference"]]
        )
    return rows


def _long_table(content: bytes) -> bytes:
    from reportlab.lib.pagesizes import A4
    from reportlab.platypus import LongTable, SimpleDocTemplate

    target = io.BytesIO()
    SimpleDocTemplate(target, pagesize=A4).build(
        [LongTable([["a", "b", "c", "d", "e", "f"], *_rows(content)], repeatRows=1)]
    )
    return target.getvalue()


def _fpdf(content: bytes) -> bytes:
    from fpdf import FPDF

    pdf = FPDF()
    pdf.add_page()
    pdf.set_font("Helvetica", size=8)
    with pdf.table() as table:
        for row in _rows(content):
            table.row(row)
    return bytes(pdf.output())


def _measure(what: str, windows: int) -> None:
    from pypdf import PdfReader

    work = {"vigil": _set, "reportlab LongTable": _long_table, "fpdf2": _fpdf}[what]
    content = _contents(windows)
    work(_contents(1))  # imports and fonts are loaded once in a worker's life
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts anew
    before = _status("VmRSS")
    start, cpu = time.perf_counter(), time.process_time()
    pdf = work(content)
    cpu, seconds = time.process_time() - cpu, time.perf_counter() - start
    peak = (_status("VmHWM") - before) / 1024
    pages = len(PdfReader(io.BytesIO(pdf)).pages)
    print(json.dumps({"pages": pages, "seconds": seconds, "cpu": cpu, "peak_mb": peak, "bytes": len(pdf)}))


def _status(name: str) -> int:
    """Kilobytes of this process by the kernel's count (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(f"{name}:")).split()[1])


if __name__ == "__main__":
    _measure(sys.argv[1], int(sys.argv[2]))
