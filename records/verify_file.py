"""Checks an exported trail or signature with the file alone: no database, no instance, no network.

The key stands in the file, so by itself the file shows that it is whole. Which instance it comes from is shown by the
key's id (SHA-256 of the raw public key): compare it with what the instance states, or give it as ``trusted_key_id``.
"""

import base64
import hashlib
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from records.canonical import canonical_json
from records.chain import event_sha256, link_sha256


def first_problem(document: dict[str, Any], *, trusted_key_id: str = "") -> str:
    """Empty when everything holds, else the first thing that does not, in one sentence."""
    try:
        key = _key(document["public_key_pem"])
        raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        key_id = hashlib.sha256(raw).hexdigest()
        if trusted_key_id and key_id != trusted_key_id:
            return f"the file was sealed by the key {key_id}, not by the trusted {trusted_key_id}"
        if document.get("kind") == "vigil-audit-trail":
            return _trail(document, key)
        if document.get("kind") == "vigil-signature":
            return "" if _holds(key, document["statement"], document["seal"]) else "the seal does not fit the statement"
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return f"the file is not complete: {type(error).__name__} {error}"
    return f"kind {document.get('kind')!r} is not known: give an exported trail or signature"


def _trail(document: dict[str, Any], key: Ed25519PublicKey) -> str:
    checkpoints = {one["position"]: one for one in document["checkpoints"]}
    previous, before = document["previous"], None
    links = document["links"]
    for link in links:
        position = link["position"]
        if before is not None and position != before + 1:
            if before not in checkpoints or position < before:
                return f"link {before + 1} is missing: the chain goes on at {position}"
            previous = link["previous"]  # a stretch between two signed checkpoints was left out
        if link["event"] is not None and event_sha256(link["event"]) != link["event_sha256"]:
            return f"the event at link {position} was changed"
        if link_sha256(previous=previous, position=position, event=link["event_sha256"]) != link["sha256"]:
            return f"link {position} does not follow the one before it"
        previous, before = link["sha256"], position
        checkpoint = checkpoints.get(position)
        if checkpoint and checkpoint["sha256"] != previous:
            return f"the checkpoint at link {position} does not match the chain"
    if links and before not in checkpoints:
        return f"no signed checkpoint closes the chain at link {before}"
    for position, one in checkpoints.items():
        statement = {name: one[name] for name in ("position", "sha256", "at", "key_id")}
        if not _holds(key, statement, one["signature"]):
            return f"the signature of the checkpoint at link {position} does not hold"
    return ""


def _key(pem: str) -> Ed25519PublicKey:
    key = serialization.load_pem_public_key(pem.encode())
    if not isinstance(key, Ed25519PublicKey):
        raise ValueError("the public key is not an Ed25519 key")
    return key


def _holds(key: Ed25519PublicKey, statement: dict[str, Any], signature: str) -> bool:
    try:
        key.verify(base64.b64decode(signature), canonical_json(statement))
    except (InvalidSignature, ValueError):
        return False
    return True
