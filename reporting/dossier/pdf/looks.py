"""Page geometry, colours and text styles: the only place where the look of the document is decided."""

from __future__ import annotations

from reportlab.lib.colors import Color, HexColor
from reportlab.lib.enums import TA_LEFT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle

from reporting.dossier.pdf.fonts import BODY, SLANTED, STRONG

PAGE_WIDTH, PAGE_HEIGHT = A4
LEFT = RIGHT = 54.0
TOP, BOTTOM = 74.0, 62.0
WIDTH = PAGE_WIDTH - LEFT - RIGHT

INK, SOFT, FAINT = HexColor("#15212c"), HexColor("#4d5f70"), HexColor("#8496a6")
RULE, WASH, BRAND, BRAND_DEEP = HexColor("#d3dce4"), HexColor("#f3f6f9"), HexColor("#0b4f7d"), HexColor("#08304b")
PAPER = HexColor("#ffffff")
STATE = {
    "ok": (HexColor("#0f6b4f"), HexColor("#e6f4ee"), "OK"),
    "watch": (HexColor("#8a5200"), HexColor("#fdf3e1"), "Watch"),
    "act": (HexColor("#a8231b"), HexColor("#fbeae8"), "Act"),
    "insufficient": (HexColor("#566472"), HexColor("#eef1f4"), "Insufficient"),
}
TONES = {
    "info": (BRAND, HexColor("#e9f2f8")),
    "watch": STATE["watch"][:2],
    "act": STATE["act"][:2],
    "gap": (HexColor("#566472"), HexColor("#f3f5f7")),
}


def _style(
    name: str, size: float, leading: float, *, font: str = BODY, colour: Color = INK, **more: float
) -> ParagraphStyle:
    return ParagraphStyle(
        name,
        fontName=font,
        fontSize=size,
        leading=leading,
        textColor=colour,
        alignment=TA_LEFT,
        splitLongWords=1,
        allowWidows=0,
        allowOrphans=0,
        **more,
    )


BODY_TEXT = _style("body", 9.4, 13.2, spaceAfter=6)
SMALL_TEXT = _style("small", 7.8, 10.6, colour=SOFT, spaceAfter=4)
SECTION_TITLE = _style("section", 19, 23, font=STRONG, colour=BRAND_DEEP, spaceAfter=4)
SECTION_NUMBER = _style("number", 10, 13, font=STRONG, colour=BRAND, spaceAfter=1)
HEAD_2 = _style("head2", 12.4, 15.5, font=STRONG, colour=BRAND_DEEP, spaceBefore=12, spaceAfter=4)
HEAD_3 = _style("head3", 10, 13, font=STRONG, spaceBefore=8, spaceAfter=3)
CAPTION = _style("caption", 8, 10.6, font=STRONG, spaceBefore=6, spaceAfter=3)
FIGURE_TEXT = _style("figure", 7.6, 10, font=SLANTED, colour=SOFT, spaceAfter=8)
