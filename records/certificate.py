"""A self-issued X.509 certificate for the instance's key, so that common tools can check what it signed."""

import hashlib
import os
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import NameOID
from django.conf import settings

from records.keys import instance_key, key_id

VALID_DAYS = 3650


def certificate_pem() -> bytes:
    return _certificate(Path(settings.KEY_DIR))


@lru_cache(maxsize=4)
def _certificate(folder: Path) -> bytes:
    """Made once beside the key and kept: its fingerprint is what a hospital or a regulator trusts."""
    path = folder / f"instance-{key_id()[:12]}.crt.pem"
    if path.exists():
        return path.read_bytes()
    name = x509.Name([
        x509.NameAttribute(NameOID.COMMON_NAME, f"Vigil instance {key_id()[:16]}"),
        x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "Audit trail and signatures"),
    ])  # fmt: skip
    key, now = instance_key(), datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(int(hashlib.sha256(key_id().encode()).hexdigest()[:30], 16))
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(days=VALID_DAYS))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True, content_commitment=True, key_encipherment=False, data_encipherment=False,
                key_agreement=False, key_cert_sign=False, crl_sign=False, encipher_only=False, decipher_only=False,
            ),
            critical=True,
        )
        .sign(key, None)
    )  # fmt: skip
    scratch = path.with_suffix(f".{os.getpid()}")
    scratch.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    try:
        os.link(scratch, path)  # the first of two processes wins, the other reads what it wrote
    except FileExistsError:
        pass
    finally:
        scratch.unlink()
    return path.read_bytes()
