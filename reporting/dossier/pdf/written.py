"""The PDF file as it is written: objects go out as soon as they are whole, so that a long dossier never stands in
memory."""

from __future__ import annotations

import io
import zlib
from array import array
from typing import Any

from reportlab.pdfbase import pdfdoc


class WrittenDocument(pdfdoc.PDFDocument):  # type: ignore[misc]
    """ReportLab's document, but writing to ``target`` at once what is finished.

    Objects that only this package refers to have a number and no name; those that ReportLab refers to by name are
    written by :meth:`format` at the end. Every stream ends with a line end before ``endstream``, which PDF/A asks for
    (ISO 19005-3, 6.1.7.1) and ReportLab leaves out.
    """

    def begin(self, target: io.BytesIO) -> None:
        self._target, self._offsets = target, array("Q", [0])
        target.write(b"%%PDF-%d.%d\n%%\xe2\xe3\xcf\xd3\n" % self._pdfVersion)

    def number(self) -> int:
        """The number of an object that is written later by :meth:`put`."""
        self.objectcounter += 1
        return int(self.objectcounter)

    def put(self, number: int, body: bytes) -> None:
        missing = number + 1 - len(self._offsets)
        if missing > 0:
            self._offsets.extend([0] * missing)
        self._offsets[number] = self._target.tell()
        if body.endswith(b"endstream\n"):
            body = body[: -len(b"endstream\n")] + b"\nendstream\n"
        elif not body.endswith(b"\n"):
            body += b"\n"
        self._target.write(b"%d 0 obj\n" % number + body + b"endobj\n")

    def put_stream(self, content: bytes) -> Any:
        """Write a compressed stream; what stands for it in a dictionary of ReportLab's."""
        packed = zlib.compress(content)
        number = self.number()
        self.put(number, b"<< /Filter /FlateDecode /Length %d >>\nstream\n" % len(packed) + packed + b"endstream\n")
        return self.named(number)

    def named(self, number: int) -> Any:
        """A reference to object ``number`` for a dictionary of ReportLab's."""
        name = f"Numbered{number}"
        self.idToObjectNumberAndVersion[name] = (number, 0)
        return pdfdoc.PDFObjectReference(name)

    def number_of(self, name: str) -> int:
        return int(self.idToObjectNumberAndVersion[name][0])

    def format(self) -> bytes:
        """Write what is left, the table of objects and the trailer. Empty: all is in the target already."""
        root, info = self.Reference(self.Catalog), self.Reference(self.info)
        number = 0
        while number < self.objectcounter:  # formatting one object may make others
            number += 1
            if number < len(self._offsets) and self._offsets[number]:
                continue
            if name := self.numberToId.get(number):
                self.put(number, pdfdoc.format(self.idToObject[name], self, toplevel=1))
        size = len(self._offsets)
        at = self._target.tell()
        self._target.write(b"xref\n0 %d\n0000000000 65535 f \n" % size)
        for offset in self._offsets[1:]:
            self._target.write(b"%010d 00000 n \n" % offset if offset else b"0000000000 65535 f \n")
        trailer = pdfdoc.PDFTrailer(startxref=at, Size=size, Root=root, Info=info, ID=self.ID())
        self._target.write(trailer.format(self))
        return b""
