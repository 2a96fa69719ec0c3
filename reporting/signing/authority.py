"""The instance's own certificate authority: what signs when no other signer is configured.

Its root is made at first use and lies in the key folder beside the instance's key. A reader who trusts this instance
trusts this root; for qualified signatures configure PKCS#12 or PKCS#11 instead (``signing.signers``).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.conf import settings

YEARS = 10  # a dossier has to be checkable for ten years
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Identity:
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def certificate_pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_der(self) -> bytes:
        return self.key.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )


def root() -> Identity:
    """The root of this instance; made once."""
    return _kept("dossier-ca", lambda: _root(_name("Vigil instance authority", settings.BASE_URL)))


def seal_identity() -> Identity:
    """The identity under which the instance itself seals; made anew when it has less than a year left."""
    found = _kept("dossier-seal", lambda: issue(common_name="Vigil instance seal", organisation=settings.BASE_URL))
    if found.certificate.not_valid_after_utc - datetime.now(UTC) < 365 * DAY:
        _path("dossier-seal").unlink(missing_ok=True)
        found = _kept("dossier-seal", lambda: issue(common_name="Vigil instance seal", organisation=settings.BASE_URL))
    return found


def issue(
    *,
    common_name: str,
    organisation: str,
    start: datetime | None = None,
    end: datetime | None = None,
    by: Identity | None = None,
) -> Identity:
    """A signing certificate for a person or the instance; the key is new each time and kept by nobody but the
    caller."""
    authority = by or root()
    key = ec.generate_private_key(ec.SECP256R1())
    start = start or datetime.now(UTC) - DAY
    builder = _builder(
        _name(common_name, organisation), authority.certificate.subject, key, start, end or start + YEARS * 365 * DAY
    )
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(sign=True), critical=True)
    return Identity(key, builder.sign(authority.key, hashes.SHA256()))


def _root(name: x509.Name) -> Identity:
    key = ec.generate_private_key(ec.SECP256R1())
    start = datetime.now(UTC) - DAY
    builder = _builder(name, name, key, start, start + 2 * YEARS * 365 * DAY)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(sign=False), critical=True)
    return Identity(key, builder.sign(key, hashes.SHA256()))


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, start: datetime, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _usage(*, sign: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=sign,
        content_commitment=sign,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=not sign,
        crl_sign=not sign,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common_name: str, organisation: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation[:64] or "Vigil"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64]),
        ]
    )


def _path(name: str) -> Path:
    return Path(settings.KEY_DIR) / f"{name}.pem"


def _kept(name: str, make: Callable[[], Identity]) -> Identity:
    """Read the identity ``name``, or make and keep it; of two processes that make it at once the first wins."""
    bundle = _path(name)
    if not bundle.exists():
        fresh = make()
        bundle.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        scratch = bundle.with_suffix(f".{os.getpid()}")
        private = fresh.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(private + fresh.certificate_pem)
        try:
            os.link(scratch, bundle)
        except FileExistsError:
            pass
        finally:
            scratch.unlink()
    content = bundle.read_bytes()
    key = serialization.load_pem_private_key(content, password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)  # noqa: S101
    return Identity(key, x509.load_pem_x509_certificate(content[content.index(b"-----BEGIN CERTIFICATE") :]))
