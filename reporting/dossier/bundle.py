"""The zip that verifies alone: every file, its hash, the seal, and the program that checks them."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Mapping
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from records.canonical import canonical_json
from reporting.dossier.contents import Contents

VERIFIER = Path(__file__).with_name("verify.py")
MEDIA_TYPES = {
    ".json": "application/json",
    ".pdf": "application/pdf",
    ".xml": "application/xml",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".parquet": "application/vnd.apache.parquet",
    ".py": "text/x-python",
    ".pem": "application/x-pem-file",
    ".md": "text/markdown",
    ".jpg": "image/jpeg",
}


def media_type(path: str) -> str:
    return MEDIA_TYPES.get(Path(path).suffix, "application/octet-stream")


def manifest(files: Mapping[str, bytes], *, number: str, contents_sha256: str) -> dict[str, Any]:
    listed = {
        name: {"sha256": sha256(content).hexdigest(), "size": len(content), "media_type": media_type(name)}
        for name, content in sorted(files.items())
    }
    return {
        "format": "vigil-manifest",
        "version": 1,
        "number": number,
        "contents_sha256": contents_sha256,
        "root_sha256": sha256(sums(listed)).hexdigest(),
        "files": listed,
    }


def sealed(
    files: Mapping[str, bytes],
    *,
    number: str,
    contents_sha256: str,
    key_id: str,
    at: datetime,
    seal: Callable[[dict[str, object]], str],
) -> tuple[dict[str, bytes], str]:
    """``files`` with their manifest, its sums and the instance's seal over it, and the root hash.

    ``seal`` signs the canonical JSON of a statement with the instance's key.
    """
    listed = manifest(files, number=number, contents_sha256=contents_sha256)
    statement: dict[str, object] = {
        "number": number,
        "root_sha256": listed["root_sha256"],
        "sealed_at": at.isoformat(),
        "key_id": key_id,
    }
    whole = dict(files) | {
        "manifest.json": indented(listed),
        "SHA256SUMS": sums(listed["files"]),
        "manifest.seal.json": indented({"statement": statement, "signature": seal(statement)}),
    }
    return whole, str(listed["root_sha256"])


def sums(listed: Mapping[str, Mapping[str, Any]]) -> bytes:
    """The list in the form that ``sha256sum --check`` reads; its SHA-256 is the root hash."""
    return "".join(f"{listed[name]['sha256']}  {name}\n" for name in sorted(listed)).encode()


def packed(files: Mapping[str, bytes], *, at: datetime) -> bytes:
    """A zip with fixed times and order, so that equal files give equal bytes."""
    target = io.BytesIO()
    moment = (at.year, at.month, at.day, at.hour, at.minute, at.second // 2 * 2)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as bundle:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, moment)
            entry.compress_type = (
                zipfile.ZIP_STORED if name.endswith((".pdf", ".png", ".parquet", ".jpg")) else zipfile.ZIP_DEFLATED
            )
            entry.external_attr = (0o755 if name == "verify.py" else 0o644) << 16
            entry.create_system = 3
            bundle.writestr(entry, files[name])
    return target.getvalue()


def indented(content: Any) -> bytes:
    """Readable JSON with sorted keys, through the canonical spelling of numbers and times."""
    return (
        json.dumps(json.loads(canonical_json(content)), sort_keys=True, indent=1, ensure_ascii=False).encode() + b"\n"
    )


def readme(contents: Contents) -> bytes:
    i = contents.identity
    return f"""# {i.number}: {i.title}

{i.model} {i.version}, {i.start[:10]} to {i.end[:10]}. For regulatory learning: not an approval.

Check everything with Python 3 alone, offline:

    python3 verify.py .

| file | is |
| --- | --- |
| dossier.pdf | the signed document |
| dossier.json | its machine-readable twin, canonical JSON; its SHA-256 stands in the foot of every page |
| findings.json, findings.parquet | every finding with unit, interval, n, window, reference, method and seed |
| figures/ | every chart as SVG and PNG |
| recompute/states.json | summaries of cases from which numbers can be computed again, described in
recompute/README.md |
| audit/trail.json | the audit events about these records, with the chain and its signed checkpoints |
| model-card.xml | the model card in the element names of the CHAI schema |
| fhir-bundle.json | device, document and observations as an HL7 FHIR R4 bundle |
| ml-bom.json | bill of materials of the model (CycloneDX 1.6) |
| coverage.json | the conformity matrices |
| keys/ | the instance's public key and its certificates |
| ro-crate-metadata.json | what made what (RO-Crate 1.1) |
| manifest.json, manifest.seal.json, SHA256SUMS | every file's hash, and the instance's signature over them |
""".encode()
