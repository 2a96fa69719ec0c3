"""Charts in the unit square and over steps: reliability, ROC, severity and sequential paths."""

from __future__ import annotations

from typing import Any

from reporting.dossier.charts.axes import frame, ticks
from reporting.dossier.charts.picture import ACT, BRAND, BRAND_LIGHT, DASHES, FAINT, INK, SERIES, SOFT, Picture

UNIT = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]


def reliability(data: dict[str, Any], *, width: float, height: float = 210) -> Picture:
    """``bins``: [{score, observed, low, high, n}]. Under the diagram the cases of each bin."""
    side = min(width * 0.62, height)
    picture = Picture(width, height)
    area = frame(
        picture,
        x=(0, 1),
        y=UNIT,
        right=width - side,
        x_ticks=UNIT,
        bottom=32,
        x_title="mean score of the bin",
        y_title="observed share with the finding",
    )
    picture.line((area.x(0), area.y(0)), (area.x(1), area.y(1)), colour=FAINT, width=0.8, dash=(3, 2))
    bins = data["bins"]
    picture.line(*((area.x(b["score"]), area.y(b["observed"])) for b in bins), colour=BRAND, width=1.1)
    for b in bins:
        x = area.x(b["score"])
        if b.get("low") is not None:
            picture.line((x, area.y(b["low"])), (x, area.y(b["high"])), colour=SOFT, width=0.7)
        picture.state(x, area.y(b["observed"]), "ok" if b["n"] >= 20 else "insufficient")
    _counts(picture, bins, side + 26, width, height)
    return picture


def _counts(picture: Picture, bins: list[dict[str, Any]], left: float, right: float, height: float) -> None:
    most = max((b["n"] for b in bins), default=1) or 1
    picture.words(left, height - 8, "cases in each bin", strong=True, colour=INK)
    step = min(16.0, (height - 40) / max(1, len(bins)))
    for place, b in enumerate(bins):
        y = height - 24 - place * step
        picture.words(left, y, f"{b['score']:.2f}", size=6.5)
        picture.box(left + 22, y - 1, max(0.5, (right - left - 58) * b["n"] / most), step * 0.55, fill=BRAND_LIGHT)
        picture.words(right, y, f"{b['n']:,}", size=6.5, anchor="end")


def roc(data: dict[str, Any], *, width: float, height: float = 210) -> Picture:
    """``curves``: [{name, points: [[1 − specificity, sensitivity]], value}]; ``marks``: operating points."""
    side = min(width * 0.62, height)
    picture = Picture(width, height)
    area = frame(
        picture,
        x=(0, 1),
        y=UNIT,
        right=width - side,
        x_ticks=UNIT,
        bottom=32,
        x_title="1 − specificity",
        y_title="sensitivity",
    )
    picture.line((area.x(0), area.y(0)), (area.x(1), area.y(1)), colour=FAINT, width=0.8, dash=(3, 2))
    for place, curve in enumerate(data["curves"]):
        colour, dash = SERIES[place % len(SERIES)], DASHES[place % len(DASHES)]
        picture.line(*((area.x(a), area.y(b)) for a, b in curve["points"]), colour=colour, width=1.2, dash=dash)
        y = height - 14 - place * 14
        picture.line((side + 20, y + 2.5), (side + 40, y + 2.5), colour=colour, width=1.2, dash=dash)
        picture.words(side + 45, y, curve["name"], colour=INK, size=7.5)
    for mark in data.get("marks", []):
        picture.state(area.x(mark["x"]), area.y(mark["y"]), "act", size=2.4)
        picture.words(area.x(mark["x"]) + 5, area.y(mark["y"]) - 8, mark["word"], size=6.5, colour=INK)
    return picture


def severity(data: dict[str, Any], *, width: float, height: float = 170) -> Picture:
    """``curves``: [{name, points: [[severity, value, low, high]]}] over severities 0 (clean) to 5."""
    picture = Picture(width, height)
    numbers = [v for c in data["curves"] for p in c["points"] for v in p[1:] if v is not None]
    steps = sorted({p[0] for c in data["curves"] for p in c["points"]})
    area = frame(
        picture,
        x=(min(steps, default=0) - 0.2, max(steps, default=5) + 0.2),
        y=ticks(min(numbers, default=0), max(numbers, default=1), most=5),
        x_ticks=steps,
        right=130,
        x_title="severity",
        y_title=data.get("unit_words", ""),
    )
    for place, curve in enumerate(data["curves"]):
        colour, dash = SERIES[place % len(SERIES)], DASHES[place % len(DASHES)]
        nudge = (place - (len(data["curves"]) - 1) / 2) * 1.6
        picture.line(
            *((area.x(p[0]) + nudge, area.y(p[1])) for p in curve["points"]), colour=colour, width=1.1, dash=dash
        )
        for at, value, low, high in curve["points"]:
            if low is not None and high is not None:
                picture.line(
                    (area.x(at) + nudge, area.y(low)), (area.x(at) + nudge, area.y(high)), colour=colour, width=0.6
                )
            picture.state(area.x(at) + nudge, area.y(value), "ok", size=1.5)
        y = height - 16 - place * 12
        picture.line((width - 124, y + 2.5), (width - 106, y + 2.5), colour=colour, width=1.1, dash=dash)
        picture.words(width - 102, y, curve["name"], size=7, colour=INK)
    return picture


def path(data: dict[str, Any], *, width: float, height: float = 150) -> Picture:
    """A sequential statistic: ``values`` at each ``every``-th step, ``limit`` at which it alarms (or ``upper``, a limit
    for each value; ``both`` draws its mirror image), ``alarm`` the place of the alarm among the values.
    """
    picture = Picture(width, height)
    values, every = data["values"], data.get("every", 1)
    last = max(1, (len(values) - 1) * every)
    upper = data.get("upper") or [data["limit"]] * len(values)
    numbers = [*[v for v in values if v is not None], 0.0, *upper]
    numbers += [-v for v in upper] if data.get("both") else []
    area = frame(
        picture,
        x=(0, last),
        y=ticks(min(numbers), max(numbers), most=5),
        bottom=30,
        top=14,
        x_ticks=[t for t in ticks(0, last, most=8) if t <= last],
        x_title=f"{data.get('step_words', 'case')}, in order",
        y_title=data.get("unit_words", "statistic"),
    )
    for side in (1, -1) if data.get("both") else (1,):
        limits = [(area.x(place * every), area.y(side * v)) for place, v in enumerate(upper)]
        picture.line(*limits, colour=ACT, width=0.8, dash=(2, 2))
    picture.words(area.left + 3, area.y(data["limit"]) + 2, f"alarm at {data['limit']:.4g}", colour=ACT, size=6.3)
    points = ((area.x(place * every), area.y(v)) for place, v in enumerate(values) if v is not None)
    picture.line(*points, colour=BRAND, width=1.0)
    alarm = data.get("alarm")
    if alarm is not None:
        x = area.x(alarm * every)
        near = x > area.left + 0.8 * (area.right - area.left)
        picture.line((x, area.bottom), (x, area.top), colour=INK, width=0.7, dash=(1, 2))
        picture.state(x, area.y(values[alarm]), "act", size=2.6)
        picture.words(
            x - 3 if near else x + 3, area.top + 1, "alarm", size=6.3, colour=INK, anchor="end" if near else "start"
        )
    return picture
