"""A statistic over windows, with its limits, what chance gives, and the points where the course changed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from reporting.dossier.charts.axes import frame, ticks, time_axis
from reporting.dossier.charts.picture import ACT, BRAND, BRAND_LIGHT, FAINT, INK, SOFT, WATCH, Picture


def timeline(data: dict[str, Any], *, width: float, height: float = 150) -> Picture:
    """``points``: [{start, end, value, low, high, state}]; ``watch``, ``act``, ``floor``: limits; ``chance``: per
    window
    the 99 % quantile under no change; ``changes``: [{at, word}]; ``unit``, ``zero``.
    """
    points = data["points"]
    picture = Picture(width, height)
    spread = [v for p in points for v in (p["value"], p.get("low"), p.get("high")) if v is not None]
    limits = [data[name] for name in ("watch", "act", "floor") if data.get(name) is not None]
    include = [*limits, *([0.0] if data.get("zero") else [])]
    whole = [*spread, *include] or [0.0, 1.0]
    start, end = _time(points[0]["start"]), _time(points[-1]["end"])
    area = frame(
        picture,
        x=(start.timestamp(), end.timestamp()),
        y=ticks(min(whole), max(whole), most=5),
        bottom=22,
        top=16,
        y_title=data.get("unit_words", ""),
    )
    time_axis(area, start, end)
    _chance(area, data, points)
    for name, colour, word in (("watch", WATCH, "watch"), ("act", ACT, "act"), ("floor", ACT, "declared limit")):
        if data.get(name) is not None:
            y = area.y(data[name])
            picture.line(
                (area.left, y), (area.right, y), colour=colour, width=0.8, dash=(5, 2.5) if name == "watch" else (2, 2)
            )
            picture.words(area.left + 3, y + 2, f"{word} {data[name]:g}", colour=colour, size=6.3)
    for change in data.get("changes", []):
        x = area.x(_time(change["at"]).timestamp())
        picture.line((x, area.bottom), (x, area.top), colour=INK, width=0.7, dash=(1, 2))
        near = x > area.left + 0.75 * (area.right - area.left)
        picture.words(
            x + (-2 if near else 2),
            area.top + 2,
            change["word"],
            size=6.3,
            colour=INK,
            anchor="end" if near else "start",
        )
    piece: list[tuple[float, float]] = []
    for p in [*points, {"value": None}]:
        if p["value"] is None:
            picture.line(*piece, colour=BRAND, width=1.1)
            piece = []
        else:
            piece.append((area.x(_middle(p)), area.y(p["value"])))
    for p in points:
        x = area.x(_middle(p))
        if p["value"] is None:
            picture.words(x, area.bottom + 2, "×", anchor="middle", colour=FAINT, size=7)
            continue
        if p.get("low") is not None and p.get("high") is not None:
            picture.line((x, area.y(p["low"])), (x, area.y(p["high"])), colour=SOFT, width=0.7)
        picture.state(x, area.y(p["value"]), p["state"])
    return picture


def _chance(area: Any, data: dict[str, Any], points: list[dict[str, Any]]) -> None:
    chance = data.get("chance") or []
    known = [(area.x(_middle(p)), area.y(c)) for p, c in zip(points, chance, strict=False) if c is not None]
    if len(known) > 1 and data.get("zero"):
        floor = area.y(0.0)
        area.picture.shape([*known, (known[-1][0], floor), (known[0][0], floor)], fill=BRAND_LIGHT)


def _middle(point: dict[str, Any]) -> float:
    return (_time(point["start"]).timestamp() + _time(point["end"]).timestamp()) / 2


def _time(iso: str) -> datetime:
    return datetime.fromisoformat(iso)
