"""Catalogues: what can be plugged in, as data, so that listing never imports a heavy library."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from assurance.evidence.errors import InvalidInput


@dataclass(frozen=True)
class Entry:
    """One plug-in: what people call it, where its callable lives and the paper that defines it."""

    title: str
    target: str
    source: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)

    def load(self) -> Callable[..., Any]:
        module, _, name = self.target.partition(":")
        return getattr(import_module(module), name)  # type: ignore[no-any-return]


class Catalogue(Mapping[str, Entry]):
    """An ordered mapping from key to :class:`Entry`.

    ``list(catalogue)`` gives the keys, ``catalogue[key]`` the entry, ``catalogue.load(key)`` the callable.
    An unknown key is refused with the keys that exist.
    """

    def __init__(self, subject: str, /, **entries: Entry) -> None:
        self.subject = subject
        self._entries = entries

    def __getitem__(self, key: str) -> Entry:
        try:
            return self._entries[key]
        except KeyError:
            known = ", ".join(self._entries)
            raise UnknownKey(self.subject, key, known) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, key: object) -> bool:
        return key in self._entries

    def load(self, key: str) -> Callable[..., Any]:
        return self[key].load()


class UnknownKey(InvalidInput, KeyError):
    """A key that no entry has; also a ``KeyError`` so that mappings behave as Python expects."""

    def __init__(self, subject: str, key: str, known: str) -> None:
        super().__init__("unknown_key", f"{subject} {key!r} is not known: choose one of {known}")
        self._parts = (subject, key, known)

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> tuple[type[UnknownKey], tuple[str, str, str]]:  # type: ignore[override]
        return type(self), self._parts
