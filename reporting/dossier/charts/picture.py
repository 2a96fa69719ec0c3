"""A chart as plain shapes in points, so that the PDF, the SVG and the PNG of one figure cannot differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

INK, SOFT, FAINT, GRID = "#15212c", "#4d5f70", "#8496a6", "#dfe6ec"
BRAND, BRAND_LIGHT, PAPER = "#0b4f7d", "#cfe1ee", "#ffffff"
OK, WATCH, ACT, GREY = "#0f6b4f", "#8a5200", "#a8231b", "#566472"
STATE_COLOURS = {"ok": OK, "watch": WATCH, "act": ACT, "insufficient": GREY}
SERIES = (BRAND, "#b0560b", "#3a7d44", "#7a4b9c", "#5f6b76", "#a23b6e")
DASHES: tuple[tuple[float, ...], ...] = ((), (4, 2), (1.5, 1.5), (6, 2, 1.5, 2), (3, 1), (8, 3))

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Line:
    points: tuple[Point, ...]
    colour: str = INK
    width: float = 0.8
    dash: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Shape:
    """A closed outline, filled, bordered or both."""

    points: tuple[Point, ...]
    fill: str = ""
    border: str = ""
    width: float = 0.6


@dataclass(frozen=True, slots=True)
class Disc:
    centre: Point
    radius: float
    fill: str = ""
    border: str = ""
    width: float = 0.8


@dataclass(frozen=True, slots=True)
class Words:
    at: Point
    text: str
    size: float = 7
    colour: str = SOFT
    anchor: str = "start"  # start, middle, end
    strong: bool = False
    upright: bool = False  # written upwards, for the vertical axis


Mark = Line | Shape | Disc | Words


@dataclass
class Picture:
    """``width`` × ``height`` points, origin bottom left as in PDF."""

    width: float
    height: float
    marks: list[Mark] = field(default_factory=list)

    def line(self, *points: Point, colour: str = INK, width: float = 0.8, dash: tuple[float, ...] = ()) -> None:
        if len(points) > 1:
            self.marks.append(Line(tuple(points), colour, width, dash))

    def shape(self, points: Sequence[Point], *, fill: str = "", border: str = "", width: float = 0.6) -> None:
        self.marks.append(Shape(tuple(points), fill, border, width))

    def box(self, x: float, y: float, w: float, h: float, *, fill: str = "", border: str = "") -> None:
        self.shape(((x, y), (x + w, y), (x + w, y + h), (x, y + h)), fill=fill, border=border)

    def words(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: float = 7,
        colour: str = SOFT,
        anchor: str = "start",
        strong: bool = False,
        upright: bool = False,
    ) -> None:
        self.marks.append(Words((x, y), text, size, colour, anchor, strong, upright))

    def state(self, x: float, y: float, state: str, *, size: float = 2.6) -> None:
        """A point whose shape tells its state: disc ok, triangle watch, square act, hollow disc insufficient."""
        colour = STATE_COLOURS.get(state, GREY)
        if state == "act":
            self.box(x - size, y - size, 2 * size, 2 * size, fill=colour, border=PAPER)
        elif state == "watch":
            self.shape(
                ((x - 1.15 * size, y - size), (x + 1.15 * size, y - size), (x, y + 1.2 * size)),
                fill=colour,
                border=PAPER,
            )
        elif state == "ok":
            self.marks.append(Disc((x, y), size, fill=colour, border=PAPER))
        else:
            self.marks.append(Disc((x, y), size, fill=PAPER, border=colour))

    def legend(self, x: float, y: float, rows: Sequence[tuple[str, str]]) -> None:
        """States with their words in one row, left to right."""
        for state, word in rows:
            self.state(x, y + 2.2, state, size=2.2)
            self.words(x + 5, y, word, size=6.5)
            x += 12 + 3.4 * len(word)
