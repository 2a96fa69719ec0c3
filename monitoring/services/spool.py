"""Deliveries that wait to be worked through: on disk, safe against a crash, unreadable without the instance's key.

A raw delivery still names patients, so it is encrypted while it waits and deleted as soon as its rows are in.
"""

import hashlib
import hmac
import io
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from uuid import UUID, uuid5

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage

from assurance.evidence.errors import InvalidInput, Unavailable

PIECE = 2**20
_TAG = 16
_OBJECTS = UUID("5b1c5f0e-6f0b-4d55-9d67-0d9b7f6a1c11")
MOST_OBJECT_BYTES = 2**30


@dataclass(frozen=True, slots=True)
class Kept:
    sha256: str
    size: int


def keep(batch_id: UUID, source: BinaryIO, *, most: int) -> Kept:
    """Write ``source`` for ``batch_id`` so that it survives a crash of the machine.

    Raises
    ------
    InvalidInput
        ``too_large`` beyond ``most`` bytes.
    Unavailable
        ``spool_full`` when the disk takes no more. Nothing is left behind in either case.
    """
    digest, size = hashlib.sha256(), 0
    cipher = AESGCM(_key(batch_id))
    try:
        with _written(address(batch_id)) as target:
            number = 0
            while piece := source.read(PIECE):
                size += len(piece)
                if size > most:
                    raise InvalidInput("too_large", f"the delivery has more than {most} bytes: send it in parts")
                digest.update(piece)
                target.write(cipher.encrypt(_nonce(number), piece, batch_id.bytes))
                number += 1
    except OSError as error:
        raise Unavailable("spool_full", f"the delivery could not be kept: {error.strerror or error}") from error
    return Kept(digest.hexdigest(), size)


@contextmanager
def opened(batch_id: UUID, *, sha256: str = "") -> Iterator[BinaryIO]:
    """The delivery as it was sent, checked against its hash, in a file without a name that ends with the block."""
    cipher = AESGCM(_key(batch_id))
    try:
        with default_storage.open(address(batch_id)) as stored, tempfile.TemporaryFile() as plain:
            number, digest = 0, hashlib.sha256()
            while piece := stored.read(PIECE + _TAG):
                content = cipher.decrypt(_nonce(number), piece, batch_id.bytes)
                digest.update(content)
                plain.write(content)
                number += 1
            if sha256 and digest.hexdigest() != sha256:
                raise InvalidTag
            plain.seek(0)
            yield plain
    except FileNotFoundError as error:
        raise Unavailable("spool_away", f"the kept delivery of batch {batch_id} is not there") from error
    except InvalidTag as error:
        raise InvalidInput(
            "spool_damaged", f"the kept delivery of batch {batch_id} was changed: send it again"
        ) from error


def is_kept(batch_id: UUID) -> bool:
    return bool(default_storage.exists(address(batch_id)))


def drop(batch_id: UUID) -> None:
    with suppress(OSError):
        default_storage.delete(address(batch_id))


def keep_object(key: int, source: BinaryIO) -> None:
    """A DICOM image that waits to be measured, kept as a delivery is."""
    keep(_object_id(key), source, most=MOST_OBJECT_BYTES)


@contextmanager
def opened_object(key: int) -> Iterator[BinaryIO | None]:
    """The kept image, or None where it was measured and dropped already."""
    if not default_storage.exists(address(_object_id(key))):
        yield None
        return
    with opened(_object_id(key)) as plain:
        yield plain


def drop_object(key: int) -> None:
    drop(_object_id(key))


def _object_id(key: int) -> UUID:
    return uuid5(_OBJECTS, str(key))


def address(batch_id: UUID) -> str:
    return f"incoming/{batch_id}"


@contextmanager
def _written(name: str) -> Iterator[BinaryIO]:
    """A file of the artefact storage, complete and on the disk when the block has ended, or not there at all."""
    try:
        path = Path(default_storage.path(name))
    except NotImplementedError:  # an object store: it takes a whole file or none
        with tempfile.TemporaryFile() as room:
            yield room
            room.seek(0)
            default_storage.save(name, File(room))
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    try:
        with part.open("wb") as target:
            yield target
            target.flush()
            os.fsync(target.fileno())
        part.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _key(batch_id: UUID) -> bytes:
    """A key of its own for each delivery, so that counted nonces never meet twice under one key."""
    return hmac.digest(settings.PSEUDONYM_KEY.encode(), b"spool" + batch_id.bytes, "sha256")


def _nonce(number: int) -> bytes:
    return number.to_bytes(12, "big")


class Limited(io.RawIOBase):
    """A request's body: exactly the bytes that its Content-Length promised, or ``cut_upload``."""

    def __init__(self, source: BinaryIO, *, promised: int | None) -> None:
        self._source, self._promised, self._seen = source, promised, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        try:
            piece = self._source.read(len(buffer))
        except OSError as error:  # the sender went away
            raise InvalidInput("cut_upload", f"the upload was cut after {self._seen} bytes: send it again") from error
        self._seen += len(piece)
        if not piece and self._promised is not None and self._seen < self._promised:
            raise InvalidInput(
                "cut_upload", f"the upload was cut after {self._seen} of {self._promised} bytes: send it again"
            )
        buffer[: len(piece)] = piece
        return len(piece)
