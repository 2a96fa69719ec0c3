"""The instance's signing key: Ed25519, made at first use, readable by the instance's user alone."""

import base64
import hashlib
import os
from functools import lru_cache
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.conf import settings

from records.canonical import canonical_json


@lru_cache(maxsize=4)
def _private_key(folder: Path) -> Ed25519PrivateKey:
    path = folder / "instance-ed25519.pem"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = Ed25519PrivateKey.generate().private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        scratch = path.with_suffix(f".{os.getpid()}")
        with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(fresh)
        try:
            os.link(scratch, path)  # the first of two processes wins, the other reads what it wrote
        except FileExistsError:
            pass
        finally:
            scratch.unlink()
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    assert isinstance(key, Ed25519PrivateKey)  # noqa: S101
    return key


def instance_key() -> Ed25519PrivateKey:
    return _private_key(Path(settings.KEY_DIR))


def public_key() -> Ed25519PublicKey:
    return instance_key().public_key()


def public_key_pem() -> bytes:
    return public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def key_id() -> str:
    """SHA-256 of the raw public key, so that a signature names the key that checks it."""
    raw = public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    return hashlib.sha256(raw).hexdigest()


def seal(statement: dict[str, object]) -> str:
    """Signature over the canonical JSON of ``statement``, base64."""
    return base64.b64encode(instance_key().sign(canonical_json(statement))).decode()


def seal_holds(statement: dict[str, object], signature: str, *, key: Ed25519PublicKey | None = None) -> bool:
    try:
        (key or public_key()).verify(base64.b64decode(signature), canonical_json(statement))
    except (InvalidSignature, ValueError):
        return False
    return True
