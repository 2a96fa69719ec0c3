"""Signatures of a dossier's PDF, checked with pyHanko: who, when, over which bytes, by a trusted certificate or not."""

from __future__ import annotations

import io
import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from asn1crypto import pem
from asn1crypto import x509 as asn1_x509
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko.sign.validation.errors import SignatureValidationError
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.errors import PathError


@dataclass(frozen=True, slots=True)
class SignatureCheck:
    name: str
    time: str
    meaning: str
    state: str  # ok, failed, open
    told: str


def certificates(content: bytes) -> list[asn1_x509.Certificate]:
    """Every certificate of a PEM file (other PEM objects are passed over) or the one of a DER file."""
    if pem.detect(content):
        return [
            asn1_x509.Certificate.load(der)
            for kind, _, der in pem.unarmor(content, multiple=True)
            if kind == "CERTIFICATE"
        ]
    return [asn1_x509.Certificate.load(content)]


def check_signatures(
    content: bytes, *, trusted: list[asn1_x509.Certificate], now: datetime | None = None
) -> list[SignatureCheck]:
    """One check per signature. Nothing is fetched from a network; ``trusted`` empty means that no path can be
    judged."""
    logging.getLogger("pyhanko").setLevel(logging.CRITICAL)
    logging.getLogger("pyhanko_certvalidator").setLevel(logging.CRITICAL)
    now = now or datetime.now(UTC)
    try:
        signatures = PdfFileReader(io.BytesIO(content)).embedded_signatures
    except (
        PdfError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        IndexError,
        RecursionError,
        OSError,
        NotImplementedError,
    ) as error:
        return [SignatureCheck("", "", "", "failed", f"the PDF cannot be read: {error}")]
    return [_check(signature, trusted, now) for signature in signatures]


def _check(signature: Any, trusted: list[asn1_x509.Certificate], now: datetime) -> SignatureCheck:
    name = meaning = time = ""
    try:
        name = signature.signer_cert.subject.native.get("common_name", "")
        meaning = str(signature.sig_object.get("/Reason", ""))
        validity = signature.signer_cert["tbs_certificate"]["validity"]
        end, start = validity["not_after"].native, validity["not_before"].native
        status = _status(signature, trusted, now, stamp_moment=now)
        stamp = _stamp_of(status)
        if stamp is not None and start <= stamp <= end < now:  # made while the certificate was valid, as a third shows
            status, now = _status(signature, trusted, stamp, stamp_moment=now), stamp
        time = f"{status.signer_reported_dt:%Y-%m-%d %H:%M:%S %Z}" if status.signer_reported_dt else ""
    except (
        SignatureValidationError,
        PathError,
        PdfError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        IndexError,
    ) as error:
        return SignatureCheck(name, time, meaning, "failed", f"the signature cannot be read: {error}")
    wrong = []
    stamped = status.timestamp_validity
    if stamped is not None and not (stamped.intact and stamped.valid):
        wrong.append("the time-stamp does not belong to this signature")
    if not status.intact:
        wrong.append("the signed bytes were changed")
    if not status.valid:
        wrong.append("the signature does not belong to the signed bytes")
    if now > end:
        wrong.append(f"the certificate expired on {end:%Y-%m-%d}")
    if now < start:
        wrong.append(f"the certificate is not valid before {start:%Y-%m-%d}")
    if not wrong and trusted:
        if not status.trusted:
            wrong.append("the certificate does not lead to a trusted one")
        elif not (status.seed_value_ok and (status.docmdp_ok or status.modification_level is None)):
            wrong.append("the file was changed after this signature in a way that it does not allow")
    if wrong:
        return SignatureCheck(name, time, meaning, "failed", "; ".join(wrong))
    if not trusted:
        return SignatureCheck(name, time, meaning, "open", "intact; give --trust to judge the certificate")
    told = "intact, by a trusted certificate"
    if stamp is not None:
        told += f", time-stamped {stamp:%Y-%m-%d %H:%M:%S %Z} by {_stamper(stamped)}"
    elif stamped is not None:
        told += f"; the time-stamp of {_stamper(stamped)} does not lead to a trusted certificate"
    return SignatureCheck(name, time, meaning, "ok", told)


def _status(signature: Any, trusted: list[asn1_x509.Certificate], moment: datetime, *, stamp_moment: datetime) -> Any:
    return validate_pdf_signature(
        signature,
        signer_validation_context=ValidationContext(trust_roots=trusted, allow_fetching=False, moment=moment),
        ts_validation_context=ValidationContext(trust_roots=trusted, allow_fetching=False, moment=stamp_moment),
    )


def _stamp_of(status: Any) -> datetime | None:
    """When a trusted time-stamp service saw the signature."""
    stamped = status.timestamp_validity
    if stamped is None or not (stamped.intact and stamped.valid and stamped.trusted):
        return None
    moment: datetime = stamped.timestamp
    return moment.astimezone(UTC)


def _stamper(stamped: Any) -> str:
    return str(stamped.signing_cert.subject.native.get("common_name", "an unnamed service"))
