"""Who signs the PDF: the instance's own authority, a PKCS#12 file or a PKCS#11 token, with a time-stamp where
configured."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from asn1crypto import keys as asn1_keys
from asn1crypto import x509 as asn1_x509
from cryptography.hazmat.primitives import serialization
from django.conf import settings
from pyhanko.sign.signers import Signer, SimpleSigner
from pyhanko.sign.timestamps import HTTPTimeStamper, TimeStamper
from pyhanko_certvalidator.registry import SimpleCertificateStore

from assurance.evidence.errors import Unavailable
from reporting.signing import authority


@contextmanager
def instance_signer() -> Iterator[Signer]:
    """The signer of the instance's seal, as configured, for as long as the block lasts."""
    if settings.SIGN_PKCS11_MODULE:
        with _pkcs11() as signer:
            yield signer
    elif settings.SIGN_PKCS12:
        yield _pkcs12()
    else:
        yield signer_of(authority.seal_identity())


def person_signer(*, name: str, organisation: str) -> Signer:
    """A fresh certificate of the instance's authority for a person who has just signed with password and code."""
    return signer_of(authority.issue(common_name=name, organisation=organisation))


def signer_of(identity: authority.Identity, *, root: authority.Identity | None = None) -> SimpleSigner:
    store = SimpleCertificateStore()
    store.register(_asn1((root or authority.root()).certificate))
    return SimpleSigner(
        signing_cert=_asn1(identity.certificate),
        signing_key=asn1_keys.PrivateKeyInfo.load(identity.key_der),
        cert_registry=store,
    )


def time_stamper() -> TimeStamper | None:
    """RFC 3161 when ``VIGIL_SIGN_TSA_URL`` names a service; without it signatures are of level B-B."""
    return HTTPTimeStamper(settings.SIGN_TSA_URL, timeout=20) if settings.SIGN_TSA_URL else None


def _pkcs12() -> SimpleSigner:
    try:
        signer = SimpleSigner.load_pkcs12(
            settings.SIGN_PKCS12, passphrase=settings.SIGN_PKCS12_PASSWORD.encode() or None
        )
    except (OSError, ValueError) as error:
        raise Unavailable(
            "no_signer", f"VIGIL_SIGN_PKCS12={settings.SIGN_PKCS12!r} could not be read: {error}"
        ) from error
    if signer is None:
        raise Unavailable(
            "no_signer", f"VIGIL_SIGN_PKCS12={settings.SIGN_PKCS12!r} holds no usable key: check file and password"
        )
    return signer


@contextmanager
def _pkcs11() -> Iterator[Signer]:
    """The token is open only while it signs: a second login of the same process would be refused."""
    module, token = settings.SIGN_PKCS11_MODULE, settings.SIGN_PKCS11_TOKEN
    try:
        from pkcs11.exceptions import PKCS11Error
        from pyhanko.config.pkcs11 import TokenCriteria
        from pyhanko.sign.pkcs11 import PKCS11Signer, open_pkcs11_session
    except ImportError as error:
        raise Unavailable(
            "no_signer",
            "VIGIL_SIGN_PKCS11_MODULE is set but python-pkcs11 is not installed: `pip install 'vigil[pkcs11]'`",
        ) from error
    try:
        session = open_pkcs11_session(
            module, token_criteria=TokenCriteria(label=token), user_pin=settings.SIGN_PKCS11_PIN
        )
    except (PKCS11Error, OSError, RuntimeError) as error:
        raise Unavailable(
            "no_signer",
            f"the token {token!r} of {module!r} could not be opened ({type(error).__name__}): check module, token "
            "and PIN",
        ) from error
    try:
        signer = PKCS11Signer(
            session, cert_label=settings.SIGN_PKCS11_CERTIFICATE, key_label=settings.SIGN_PKCS11_KEY or None
        )
        # Tokens that hash and sign an elliptic curve in one step are rare; all of them sign a digest.
        signer.use_raw_mechanism = signer.signing_cert.public_key.algorithm == "ec"
        yield signer
    finally:
        session.close()


def _asn1(certificate: Any) -> asn1_x509.Certificate:
    return asn1_x509.Certificate.load(certificate.public_bytes(serialization.Encoding.DER))
