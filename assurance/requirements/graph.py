"""The evidence graph: what rests on what, with a hash for each node over all that lies below it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from assurance.evidence.errors import InvalidInput
from records.canonical import content_hash


@dataclass(frozen=True, slots=True)
class Node:
    """One object: a Finding, a document, an evidence kind, a requirement, a snapshot, a signature.

    ``sha256`` is the hash of its own content; what it rests on comes in through the graph.
    """

    id: str
    kind: str
    title: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Graph:
    """``rests_on`` maps a node to the nodes directly below it."""

    nodes: Mapping[str, Node]
    rests_on: Mapping[str, tuple[str, ...]]

    def above(self, changed: Iterable[str]) -> list[Node]:
        """Every node that rests on one of ``changed``, directly or not; the changed ones themselves are left out."""
        carried: dict[str, list[str]] = {}
        for upper, lowers in self.rests_on.items():
            for lower in lowers:
                carried.setdefault(lower, []).append(upper)
        start = set(changed)
        found: dict[str, None] = {}
        layer = list(start)
        while layer:
            layer = [upper for lower in layer for upper in carried.get(lower, []) if upper not in found]
            found.update(dict.fromkeys(layer))
        return [self.nodes[key] for key in found if key not in start]

    def hashes(self) -> dict[str, str]:
        """For each node the SHA-256 over its own hash and those of all nodes below: equal hash, equal support.

        Raises
        ------
        InvalidInput
            ``circular`` when a node rests on itself, ``unknown_node`` when it rests on one that is not there.
        """
        done: dict[str, str] = {}
        for key in self.nodes:
            self._hash(key, done, ())
        return done

    def _hash(self, key: str, done: dict[str, str], path: tuple[str, ...]) -> str:
        if key in path:
            raise InvalidInput("circular", f"{key} rests on itself: {' > '.join((*path, key))}")
        if key not in self.nodes:
            raise InvalidInput("unknown_node", f"{path[-1] if path else key} rests on {key}, which is not there")
        if key not in done:
            below = sorted(self._hash(lower, done, (*path, key)) for lower in self.rests_on.get(key, ()))
            done[key] = content_hash([self.nodes[key].sha256, below])
        return done[key]
