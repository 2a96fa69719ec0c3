"""gzip and zstd as streams with a limit: a small body that unpacks to a huge one is stopped while it grows."""

from __future__ import annotations

import io
from typing import BinaryIO

import pyarrow as pa

from assurance.evidence.errors import InvalidInput
from monitoring.intake.formats import MOST_UNPACKED


class Unpacked(io.RawIOBase):
    """The unpacked bytes of ``source``, forward only, in bounded memory whatever it unpacks to.

    Reading raises ``InvalidInput``: ``too_large`` once more than ``most`` bytes came out, ``unreadable`` when the
    stream is broken or was cut.
    """

    def __init__(self, source: BinaryIO, *, encoding: str, most: int = MOST_UNPACKED) -> None:
        self._encoding, self._most, self._total = encoding, most, 0
        self._stream = pa.CompressedInputStream(pa.PythonFile(source, mode="r"), encoding)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        try:
            piece = self._stream.read(len(buffer))
        except (pa.ArrowException, OSError) as error:
            told = str(error).splitlines()[0][:200]
            raise InvalidInput("unreadable", f"the delivery is not whole {self._encoding}: {told}") from error
        self._total += len(piece)
        if self._total > self._most:
            raise InvalidInput("too_large", f"the delivery unpacks to more than {self._most} bytes: send it in parts")
        buffer[: len(piece)] = piece
        return len(piece)


def unpacked(source: BinaryIO, *, encoding: str, most: int = MOST_UNPACKED) -> BinaryIO:
    """``source`` itself without an encoding, else its unpacked bytes."""
    return io.BufferedReader(Unpacked(source, encoding=encoding, most=most), 2**18) if encoding else source
