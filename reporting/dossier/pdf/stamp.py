"""What a signature looks like on the page: name, time with zone, meaning. Drawn with the dossier's own fonts."""

from __future__ import annotations

import io

from reportlab.pdfgen.canvas import Canvas

from reporting.dossier.pdf import looks
from reporting.dossier.pdf.fonts import BODY, STRONG, lines, register
from reporting.dossier.pdf.marks import vigil_mark, write


def stamp(*, name: str, organisation: str, meaning: str, time: str, width: float, height: float) -> bytes:
    """A one-page PDF of ``width`` × ``height`` points."""
    register()
    target = io.BytesIO()
    canvas = Canvas(target, pagesize=(width, height), invariant=1, initialFontName="Helvetica")
    canvas._preamble = "1 0 0 1 0 0 cm"
    canvas.setFillColor(looks.WASH)
    canvas.rect(0, 0, width, height, stroke=0, fill=1)
    vigil_mark(canvas, width - 34, height - 32, 22, looks.RULE)
    canvas.setFillColor(looks.SOFT)
    write(canvas, 10, height - 15, "Electronically signed by", size=7.2)
    canvas.setFillColor(looks.BRAND_DEEP)
    write(canvas, 10, height - 29, lines(name, STRONG, 11.5, width - 60)[0], font=STRONG, size=11.5)
    canvas.setFillColor(looks.INK)
    y = height - 41
    for text, size in (
        (organisation, 8.2),
        (time, 8.2),
        *((line, 8.2) for line in lines(meaning, BODY, 8.2, width - 20)[:2]),
    ):
        if text:
            write(canvas, 10, y, lines(text, BODY, size, width - 20)[0], size=size)
            y -= 10.4
    canvas.showPage()
    canvas.save()
    return target.getvalue()
