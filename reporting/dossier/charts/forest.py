"""Forest plot: a value of each site with its interval, and the pooled value with its prediction interval."""

from __future__ import annotations

from typing import Any

from reporting.dossier.charts.axes import Scale, tick_words, ticks
from reporting.dossier.charts.picture import BRAND, FAINT, GRID, INK, SOFT, Picture
from reporting.dossier.numbers import printed

ROW = 15.0


def forest(data: dict[str, Any], *, width: float, height: float = 0) -> Picture:
    """``rows``: [{name, value, low, high, n, state}]; ``pooled``: {value, low, high, prediction: [low, high]};
    ``line``: the value of no difference or the declared limit; ``unit_words``.
    """
    rows, pooled = data["rows"], data.get("pooled")
    tall = ROW * (len(rows) + (2 if pooled else 0)) + 42
    picture = Picture(width, tall)
    numbers = [v for row in rows for v in (row["value"], row.get("low"), row.get("high")) if v is not None]
    if pooled:
        numbers += [
            v
            for v in (pooled["value"], pooled.get("low"), pooled.get("high"), *(pooled.get("prediction") or ()))
            if v is not None
        ]
    if data.get("line") is not None:
        numbers.append(data["line"])
    marks = ticks(min(numbers, default=0), max(numbers, default=1), most=6)
    left, right = width * 0.25, width * 0.68
    x = Scale(marks[0], marks[-1], left, right)
    bottom, top = 24.0, tall - 16
    for mark in marks:
        picture.line((x(mark), bottom), (x(mark), top), colour=GRID, width=0.5)
        picture.words(x(mark), bottom - 9, tick_words(mark), anchor="middle")
    picture.line((left, bottom), (right, bottom), colour=FAINT, width=0.7)
    picture.words((left + right) / 2, bottom - 20, data.get("unit_words", ""), anchor="middle")
    for at, word, anchor in (
        (0, data.get("factor", "Site"), "start"),
        (width * 0.78, "n", "end"),
        (width, "Value (interval)", "end"),
    ):
        picture.words(at, top + 5, word, strong=True, colour=INK, anchor=anchor)
    if data.get("line") is not None:
        picture.line((x(data["line"]), bottom), (x(data["line"]), top), colour=SOFT, width=0.8, dash=(3, 2))
    y = top - ROW / 2
    biggest = max((row["n"] for row in rows), default=1) or 1
    for row in rows:
        picture.words(0, y - 2.3, row["name"], colour=INK, size=7.5)
        picture.words(width * 0.78, y - 2.3, f"{row['n']:,}", anchor="end", size=7.5)
        if row["value"] is not None:
            _whisker(picture, x, y, row)
            picture.state(x(row["value"]), y, row["state"], size=1.8 + 2.0 * (row["n"] / biggest) ** 0.5)
        picture.words(
            width, y - 2.3, _told(row), anchor="end", size=7.5, colour=INK if row["value"] is not None else SOFT
        )
        y -= ROW
    if pooled:
        y -= ROW * 0.3
        picture.words(0, y - 2.3, pooled.get("name", "Pooled"), strong=True, colour=INK, size=7.5)
        if pooled.get("prediction"):
            low, high = pooled["prediction"]
            picture.line((x(low), y), (x(high), y), colour=BRAND, width=1.0, dash=(1.5, 1.5))
        if pooled.get("low") is not None:
            a, b, c = x(pooled["low"]), x(pooled["value"]), x(pooled["high"])
            picture.shape(((a, y), (b, y + 4), (c, y), (b, y - 4)), fill=BRAND)
        picture.words(width * 0.78, y - 2.3, f"{pooled.get('n', 0):,}", anchor="end", size=7.5)
        picture.words(width, y - 2.3, _told(pooled), anchor="end", size=7.5, colour=INK, strong=True)
        if pooled.get("prediction"):
            low, high = pooled["prediction"]
            picture.words(width, y - 12, f"prediction {printed(low)} to {printed(high)}", anchor="end", size=6.5)
    return picture


def _whisker(picture: Picture, x: Scale, y: float, row: dict[str, Any]) -> None:
    if row.get("low") is None or row.get("high") is None:
        return
    picture.line((x(row["low"]), y), (x(row["high"]), y), colour=INK, width=0.9)
    for end in ("low", "high"):
        picture.line((x(row[end]), y - 2), (x(row[end]), y + 2), colour=INK, width=0.9)


def _told(row: dict[str, Any]) -> str:
    if row["value"] is None:
        return "no value"
    if row.get("low") is None:
        return printed(row["value"])
    return f"{printed(row['value'])} ({printed(row['low'])} to {printed(row['high'])})"
