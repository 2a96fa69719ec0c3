"""A whole check of a file: the verifier of the bundle, and the signatures of the PDF inside with pyHanko."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from reporting.dossier import verify
from reporting.signing.check import certificates, check_signatures

CA = "keys/instance-ca.pem"


@dataclass(frozen=True)
class Outcome:
    holds: bool
    checks: list[dict[str, str]]

    def as_dict(self) -> dict[str, Any]:
        return {"holds": self.holds, "checks": self.checks}


def verify_file(path: Path, *, trust: bytes | None = None, now: datetime | None = None) -> Outcome:
    """Check a bundle (zip or folder) or a PDF.

    ``trust`` is a PEM with the instance's public key, its root certificate or both. Without it the bundle's own root is
    used and said to be so: it shows that nothing was changed since, not who made it.

    Raises
    ------
    verify.Unreadable
        The file is neither.
    """
    key = _trusted_key(trust)
    report = verify.verify_path(path, trusted=key)
    content, own_root = _pdf_of(path)
    roots = certificates(trust) if trust and b"CERTIFICATE" in trust else []
    borrowed = not roots and own_root is not None
    if borrowed and own_root is not None:
        try:
            roots = certificates(own_root)
        except ValueError:
            roots = []
    if content is not None:
        found = check_signatures(content, trusted=roots, now=now)
        for place, one in enumerate(found, start=1):
            told = f"{one.name}, {one.time}, {one.meaning} {one.told}".strip(" ,")
            if borrowed and one.state == "ok":
                told += " (the bundle's own root: compare it with the published one)"
            report.add(f"signature-{place}", f"Signature {place}", one.state, told)
        if not found:
            report.add("signature", "Signatures", "failed", "the PDF carries no signature")
    return Outcome(not report.failed, report.checks)


def _trusted_key(trust: bytes | None) -> bytes | None:
    if not trust or b"PUBLIC KEY" not in trust:
        return None
    start = trust.index(b"-----BEGIN PUBLIC KEY")
    key = verify.public_key(trust[start : trust.index(b"-----END PUBLIC KEY", start)])
    if not key:
        raise verify.Unreadable("--trust holds a public key that is not Ed25519")
    return key


def _pdf_of(path: Path) -> tuple[bytes | None, bytes | None]:
    if path.is_dir():
        pdf, root = path / "dossier.pdf", path / CA
        return (pdf.read_bytes() if pdf.is_file() else None), (root.read_bytes() if root.is_file() else None)
    with path.open("rb") as file:
        if file.read(5) == b"%PDF-":
            return path.read_bytes(), None
    try:
        with zipfile.ZipFile(path) as bundle:
            names = set(bundle.namelist())
            return (bundle.read("dossier.pdf") if "dossier.pdf" in names else None), (
                bundle.read(CA) if CA in names else None
            )
    except (zipfile.BadZipFile, OSError, ValueError, RuntimeError, NotImplementedError):
        return None, None
