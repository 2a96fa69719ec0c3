"""Case and patient names never reach the tables: a keyed hash stands for them, the same for every part of Vigil."""

import hmac
from collections.abc import Iterable

from django.conf import settings


def pseudonym(organisation_id: int, name: str) -> str:
    """32 hexadecimal digits. Without the instance's key nobody can test a name; two hospitals never share one."""
    return pseudonyms(organisation_id, [name])[0]


def pseudonyms(organisation_id: int, names: Iterable[str]) -> list[str]:
    key, start = settings.PSEUDONYM_KEY.encode(), f"{organisation_id}\x00"
    return [hmac.digest(key, (start + name).encode(), "sha256").hex()[:32] for name in names]
