"""multipart/related bodies part by part, each into a file of its own: a study never stands in memory as a whole."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from email.message import Message
from typing import BinaryIO, cast

from assurance.evidence.errors import InvalidInput

_PIECE = 2**18
IN_MEMORY = 2**20
LONGEST_HEADER = 2**14


def boundary_of(content_type: str) -> tuple[str, bytes]:
    """The parts' declared type and the boundary of a ``multipart/related`` header.

    Raises
    ------
    InvalidInput
        ``unknown_format`` for another type, ``no_boundary`` when it names none.
    """
    message = Message()
    message["Content-Type"] = content_type
    if message.get_content_type() != "multipart/related":
        raise InvalidInput("unknown_format", f"content type {content_type[:80]!r}: give multipart/related")
    boundary = message.get_param("boundary")
    if not isinstance(boundary, str) or not 0 < len(boundary) <= 70 or not boundary.isascii():
        raise InvalidInput("no_boundary", "the content type names no boundary of 1 to 70 ASCII characters")
    kind = message.get_param("type")
    return (kind if isinstance(kind, str) else "").lower(), boundary.encode()


def parts(source: BinaryIO, boundary: bytes, *, most: int, most_parts: int) -> Iterator[tuple[str, BinaryIO]]:
    """(content type, file) of each part; the caller closes the files.

    Raises
    ------
    InvalidInput
        ``not_multipart``, ``cut_upload`` when the closing boundary never comes, ``too_large``, ``too_many_objects``.
    """
    delimiter = b"\r\n--" + boundary
    buffer = b"\r\n" + source.read(_PIECE)
    at = buffer.find(delimiter)
    if at < 0:
        raise InvalidInput("not_multipart", "the body does not start with the boundary that its content type names")
    buffer = buffer[at + len(delimiter) :]
    total, count = 0, 0
    while True:
        while len(buffer) < LONGEST_HEADER and b"\r\n\r\n" not in buffer and not buffer.startswith(b"--"):
            piece = source.read(_PIECE)
            if not piece:
                raise InvalidInput("cut_upload", "the body ends before its closing boundary: send it again")
            buffer += piece
        if buffer.startswith(b"--"):
            return
        head, found, buffer = buffer.partition(b"\r\n\r\n")
        if not found:
            raise InvalidInput("not_multipart", f"part {count + 1} has no end of its headers")
        count += 1
        if count > most_parts:
            raise InvalidInput("too_many_objects", f"more than {most_parts} parts: send the study in parts")
        file = cast(BinaryIO, tempfile.SpooledTemporaryFile(max_size=IN_MEMORY))  # noqa: SIM115 -- the caller closes it
        while (at := buffer.find(delimiter)) < 0:
            keep = len(delimiter) - 1
            total += _write(file, buffer[:-keep] if len(buffer) > keep else b"")
            buffer = buffer[-keep:] if len(buffer) > keep else buffer
            if total > most:
                raise InvalidInput("too_large", f"the body has more than {most} bytes: send the study in parts")
            piece = source.read(_PIECE)
            if not piece:
                raise InvalidInput("cut_upload", "the body ends before its closing boundary: send it again")
            buffer += piece
        total += _write(file, buffer[:at])
        buffer = buffer[at + len(delimiter) :]
        file.seek(0)
        yield _type_of(head), file


def _write(file: BinaryIO, content: bytes) -> int:
    file.write(content)
    return len(content)


def _type_of(head: bytes) -> str:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-type":
            return value.decode("latin-1").partition(";")[0].strip().lower()
    return "application/dicom"
