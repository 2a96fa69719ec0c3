"""The door of every pure room: arrays are checked here once and trusted afterwards."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assurance.evidence.errors import InvalidInput


def numeric_vector(values: ArrayLike, *, name: str, at_least: int = 1) -> NDArray[np.float64]:
    """Return ``values`` as a new float64 vector of shape (n,); NaN and infinity are allowed here.

    Raises
    ------
    InvalidInput
        ``not_numeric`` (text or objects), ``not_a_vector`` (not one row), ``too_few`` (fewer than ``at_least``).
    """
    try:
        vector = np.array(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInput("not_numeric", f"{name} holds values that are not numbers: give numbers only") from error
    if vector.ndim != 1:
        raise InvalidInput("not_a_vector", f"{name} has shape {vector.shape}: give one row of numbers")
    if vector.size < at_least:
        raise InvalidInput("too_few", f"{name} holds {vector.size} values: give {at_least} or more")
    return vector


def finite_vector(values: ArrayLike, *, name: str, at_least: int = 1) -> NDArray[np.float64]:
    """Return ``values`` as a new float64 vector of shape (n,) and refuse NaN and infinity (``not_finite``)."""
    vector = numeric_vector(values, name=name, at_least=at_least)
    bad = np.flatnonzero(~np.isfinite(vector))
    if bad.size:
        first = int(bad[0])
        raise InvalidInput("not_finite", f"{name}[{first}] is {vector[first]}: every value must be a finite number")
    return vector


def share_vector(values: ArrayLike, *, name: str, at_least: int = 1) -> NDArray[np.float64]:
    """Return ``values`` as finite numbers in [0, 1] (``out_of_range`` otherwise)."""
    vector = finite_vector(values, name=name, at_least=at_least)
    bad = np.flatnonzero((vector < 0) | (vector > 1))
    if bad.size:
        first = int(bad[0])
        raise InvalidInput("out_of_range", f"{name}[{first}] is {vector[first]}: every value must lie in 0..1")
    return vector


def binary_vector(values: ArrayLike, *, name: str, at_least: int = 1) -> NDArray[np.bool_]:
    """Return 0/1 (or boolean) ``values`` as booleans (``not_binary`` otherwise)."""
    vector = finite_vector(values, name=name, at_least=at_least)
    bad = np.flatnonzero((vector != 0) & (vector != 1))
    if bad.size:
        first = int(bad[0])
        raise InvalidInput("not_binary", f"{name}[{first}] is {vector[first]:g}: every label must be 0 or 1")
    return vector == 1


def count_vector(values: ArrayLike, *, name: str, at_least: int = 1) -> NDArray[np.float64]:
    """Return non-negative whole ``values`` (``not_counts`` otherwise), as float64 for arithmetic."""
    vector = finite_vector(values, name=name, at_least=at_least)
    bad = np.flatnonzero((vector < 0) | (vector != np.floor(vector)))
    if bad.size:
        first = int(bad[0])
        raise InvalidInput(
            "not_counts", f"{name}[{first}] is {vector[first]:g}: every count must be 0 or a whole number"
        )
    return vector


def same_length(**vectors: NDArray[np.generic]) -> None:
    """Refuse vectors of different length (``length_mismatch``), naming each."""
    if len({len(vector) for vector in vectors.values()}) > 1:
        sizes = ", ".join(f"{name} {len(vector)}" for name, vector in vectors.items())
        raise InvalidInput("length_mismatch", f"lengths differ ({sizes}): give one value per case in each")


def is_sha256(text: str) -> None:
    """Refuse ``text`` unless it is 64 lower-case hexadecimal digits (``not_sha256``)."""
    if len(text) != 64 or set(text) - set("0123456789abcdef"):
        raise InvalidInput("not_sha256", f"{text!r} is not a SHA-256: give 64 hexadecimal digits in lower case")
