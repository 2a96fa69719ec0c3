"""What every mergeable state can do, and how it travels as bytes.

A state is a summary of one signal over some cases. Merging is associative and commutative, so a week is the sum of its
days in any order. Bytes are MessagePack with a version; equal states have equal bytes, so their SHA-256 names them.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable
from typing import Any, ClassVar, Protocol, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from assurance.evidence.errors import InvalidInput

FORMAT = 1
S = TypeVar("S", bound="State")


class State(Protocol):
    """``n`` counts finite values, ``missing`` those that were absent or not a number."""

    kind: ClassVar[str]

    @property
    def n(self) -> int: ...

    @property
    def missing(self) -> int: ...

    def merge(self: S, other: S) -> S:
        """The state of both groups of cases together; neither is changed."""

    def fields(self) -> dict[str, Any]:
        """Plain values that :func:`state_from_bytes` rebuilds the state from."""


READERS: dict[str, Callable[[dict[str, Any]], Any]] = {}


def reader(kind: str) -> Callable[[Callable[[dict[str, Any]], Any]], Callable[[dict[str, Any]], Any]]:
    """Register how a state of ``kind`` is rebuilt from its fields."""

    def register(function: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Any]:
        READERS[kind] = function
        return function

    return register


def to_bytes(state: State) -> bytes:
    return msgspec.msgpack.encode({"kind": state.kind, "format": FORMAT, **state.fields()}, order="deterministic")


def state_from_bytes(content: bytes) -> Any:
    """Rebuild a state; unknown kinds and formats are refused (``unknown_state``)."""
    from monitoring.drift import binned, categories, class_histogram, embedding, moments, sketch  # noqa: F401 -- they register

    try:
        fields = msgspec.msgpack.decode(content)
        read = READERS[fields["kind"]]
        if fields["format"] != FORMAT:
            raise KeyError(fields["format"])
    except (msgspec.MsgspecError, KeyError, TypeError) as error:
        raise InvalidInput("unknown_state", f"these bytes are not a state of format {FORMAT}: {error}") from error
    return read(fields)


def digest(state: State) -> str:
    return hashlib.sha256(to_bytes(state)).hexdigest()


def pack(values: NDArray[Any]) -> bytes:
    """An array as compressed little-endian bytes; most bins of a day are empty, so they cost next to nothing."""
    return zlib.compress(np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<")).tobytes(), 6)


def unpack(content: bytes, dtype: str) -> NDArray[Any]:
    return np.frombuffer(zlib.decompress(content), dtype=np.dtype(dtype).newbyteorder("<")).astype(dtype)


def same_shape(first: object, second: object, *names: str) -> None:
    """Refuse to merge states that were built differently (``states_differ``)."""
    if type(first) is not type(second):
        raise InvalidInput("states_differ", f"cannot merge {type(first).__name__} with {type(second).__name__}")
    for name in names:
        if getattr(first, name) != getattr(second, name):
            raise InvalidInput(
                "states_differ",
                f"cannot merge states whose {name} differ: {getattr(first, name)} and {getattr(second, name)}",
            )
