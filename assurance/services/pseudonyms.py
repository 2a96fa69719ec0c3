"""Case and patient names never reach the tables: a keyed hash stands for them, the same for every part of Vigil."""

from collections.abc import Iterable
from hashlib import sha256

from django.conf import settings

_BLOCK = 64


def pseudonym(organisation_id: int, name: str) -> str:
    """32 hexadecimal digits. Without the instance's key nobody can test a name; two hospitals never share one."""
    return pseudonyms(organisation_id, [name])[0]


def pseudonyms(organisation_id: int, names: Iterable[str]) -> list[str]:
    """HMAC-SHA-256 (RFC 2104) of each name. The two keyed hashes are begun once and copied, not begun for each name."""
    key = settings.PSEUDONYM_KEY.encode()
    key = (sha256(key).digest() if len(key) > _BLOCK else key).ljust(_BLOCK, b"\0")
    inner = sha256(bytes(byte ^ 0x36 for byte in key) + f"{organisation_id}\x00".encode()).copy
    outer = sha256(bytes(byte ^ 0x5C for byte in key)).copy
    found = []
    for name in names:
        inside, outside = inner(), outer()
        inside.update(name.encode())
        outside.update(inside.digest())
        found.append(outside.hexdigest()[:32])
    return found
