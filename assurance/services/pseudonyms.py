"""Case and patient names never reach the tables: a keyed hash stands for them, the same for every part of Vigil."""

import hashlib
import hmac
from collections.abc import Iterable

from django.conf import settings


def pseudonym(organisation_id: int, name: str) -> str:
    """32 hexadecimal digits. Without the instance's key nobody can test a name; two hospitals never share one."""
    return pseudonyms(organisation_id, [name])[0]


def pseudonyms(organisation_id: int, names: Iterable[str]) -> list[str]:
    start = hmac.new(settings.PSEUDONYM_KEY.encode(), f"{organisation_id}\x00".encode(), hashlib.sha256)
    found = []
    for name in names:
        keyed = start.copy()
        keyed.update(name.encode())
        found.append(keyed.hexdigest()[:32])
    return found
