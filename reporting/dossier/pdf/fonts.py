"""Embedded fonts, and which of them holds which character."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont

FOLDER = Path(__file__).resolve().parent.parent / "fonts"
BODY, STRONG, SLANTED, MONO, REST = "VigilSans", "VigilSans-Strong", "VigilSans-Slanted", "VigilMono", "VigilRest"
FILES = {
    BODY: "SourceSansPro-Regular.ttf",
    STRONG: "SourceSansPro-Semibold.ttf",
    SLANTED: "SourceSansPro-It.ttf",
    MONO: "DejaVuSansMono.ttf",
    REST: "DejaVuSans.ttf",
}
UNKNOWN = "\N{WHITE SQUARE}"


@lru_cache(maxsize=1)
def register() -> dict[str, frozenset[str]]:
    """Register the fonts once for the process; the characters that each holds."""
    held = {}
    for name, file in FILES.items():
        font = TTFont(name, str(FOLDER / file))
        _true_advances(font.face)
        pdfmetrics.registerFont(font)
        held[name] = frozenset(chr(code) for code in font.face.charToGlyph)
    pdfmetrics.registerFontFamily(BODY, normal=BODY, bold=STRONG, italic=SLANTED, boldItalic=STRONG)
    return held


def _true_advances(face: Any) -> None:
    """Give back to the glyphs after the last full entry of ``hmtx`` their advance in units of the font.

    ReportLab keeps it in thousandths and writes that into the subset, so that a fixed-width font embedded with 2,048
    units disagrees with its own widths, which PDF/A forbids (ISO 19005-3, 6.2.11.5).
    """
    full = int.from_bytes(face.get_table("hhea")[34:36], "big")
    advance = face.hmetrics[full - 1][0]
    face.hmetrics[full:] = [(advance, bearing) for _, bearing in face.hmetrics[full:]]


@lru_cache(maxsize=20_000)
def segments(text: str, font: str) -> tuple[tuple[str, str], ...]:
    """``text`` as runs of (font, part): what ``font`` lacks comes from the rest font, what nobody has as an open
    square."""
    held = register()
    if held[font].issuperset(text):
        return ((font, text),)
    runs: list[list[str]] = []
    for letter in text:
        if letter in held[font]:
            face = font
        elif letter in held[REST]:
            face = REST
        else:
            face, letter = REST, UNKNOWN
        if runs and runs[-1][0] == face:
            runs[-1][1] += letter
        else:
            runs.append([face, letter])
    return tuple((face, part) for face, part in runs)


@lru_cache(maxsize=50_000)
def width(text: str, font: str, size: float) -> float:
    return sum(pdfmetrics.stringWidth(part, face, size) for face, part in segments(text, font))


@lru_cache(maxsize=20_000)
def lines(text: str, font: str, size: float, space: float) -> tuple[str, ...]:
    """Break ``text`` into lines of at most ``space`` points, at spaces, and inside a word only when it alone is
    longer."""
    found: list[str] = []
    for paragraph in text.split("\n"):
        line = ""
        for word in paragraph.split(" "):
            longer = f"{line} {word}" if line else word
            if width(longer, font, size) <= space:
                line = longer
                continue
            if line:
                found.append(line)
            while width(word, font, size) > space and len(word) > 1:
                cut = max(1, int(len(word) * space / width(word, font, size)))
                while cut > 1 and width(word[:cut], font, size) > space:
                    cut -= 1
                found.append(word[:cut])
                word = word[cut:]
            line = word
        found.append(line)
    return tuple(found)


def marked_up(text: str, font: str = BODY) -> str:
    """``text`` escaped for a paragraph, with font changes around what ``font`` lacks."""
    escaped = []
    for face, part in segments(text.replace("\n", " "), font):
        part = part.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        escaped.append(part if face == font else f'<font name="{face}">{part}</font>')
    return "".join(escaped)
