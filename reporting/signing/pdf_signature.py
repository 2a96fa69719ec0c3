"""PAdES signatures on a dossier: each in its own field of the signature page, visible, added without touching what
is there."""

from __future__ import annotations

import io
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign import PdfSignatureMetadata, PdfSigner
from pyhanko.sign.fields import SigFieldSpec, SigSeedSubFilter, append_signature_field
from pyhanko.sign.signers import Signer
from pyhanko.sign.timestamps import TimeStamper
from pyhanko.sign.timestamps.common_utils import TimestampRequestError
from pyhanko.stamp import StaticStampStyle

from assurance.evidence.errors import InvalidInput, Unavailable
from reporting.dossier.pdf.front import signature_boxes
from reporting.dossier.pdf.stamp import stamp

PAGE = 1  # the second page is the signature page


class _Writer(IncrementalPdfFileWriter):  # type: ignore[misc]
    """A signature makes no new document: metadata stay as they were set, in the form that PDF/A readers check."""

    def _update_meta(self) -> None:
        pass


def sign_pdf(
    content: bytes,
    *,
    signer: Signer,
    name: str,
    organisation: str,
    meaning: str,
    at: datetime,
    time_zone: str = "UTC",
    time_stamper: TimeStamper | None = None,
) -> bytes:
    """Sign in the next free field.

    Raises
    ------
    InvalidInput
        ``no_field`` when every field is taken.
    Unavailable
        ``no_time_stamp`` when the configured service does not answer.
    """
    boxes = signature_boxes()
    taken = len(PdfFileReader(io.BytesIO(content)).embedded_signatures)
    if taken >= len(boxes):
        raise InvalidInput("no_field", f"all {len(boxes)} signature fields are taken: build a new dossier")
    writer = _Writer(io.BytesIO(content))
    if taken == 0:  # all fields before the first signature, so that later ones change nothing that was signed
        for slot, box in enumerate(boxes):
            append_signature_field(writer, SigFieldSpec(field_name(slot), on_page=PAGE, box=box))
    x1, y1, x2, y2 = boxes[taken]
    look = stamp(
        name=name,
        organisation=organisation,
        meaning=meaning,
        time=f"{at:%Y-%m-%d %H:%M:%S} {time_zone}",
        width=x2 - x1,
        height=y2 - y1,
    )
    metadata = PdfSignatureMetadata(
        field_name=field_name(taken),
        md_algorithm="sha256",
        subfilter=SigSeedSubFilter.PADES,
        reason=meaning,
        name=name,
        location=organisation or None,
    )
    with TemporaryDirectory() as folder:
        page = Path(folder) / "stamp.pdf"
        page.write_bytes(look)
        style = StaticStampStyle.from_pdf_file(str(page), border_width=0, background_opacity=1)
        signing = PdfSigner(metadata, signer=signer, timestamper=time_stamper, stamp_style=style)
        try:
            target = signing.sign_pdf(writer, existing_fields_only=True)
        except TimestampRequestError as error:
            raise Unavailable("no_time_stamp", f"the time-stamp service gave no usable answer: {error}") from error
    return bytes(target.getvalue())


def field_name(slot: int) -> str:
    return f"Signature{slot + 1}"
