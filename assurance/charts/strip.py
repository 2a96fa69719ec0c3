"""Signals by windows as one strip of states: one path for each state and row, read by shape as well as by colour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

LABEL, ROW = 150, 15
HEIGHTS = {"act": 12, "watch": 8, "ok": 3}  # the higher, the worse; too few cases are an open box


def strip(
    rows: Sequence[tuple[str, str, Mapping[datetime, str]]], ends: Sequence[datetime], *, width: int = 1100
) -> SafeString:
    """``rows`` are (key, name, state by window end) from top to bottom, ``ends`` the windows from left to right."""
    cell = (width - LABEL) / max(1, len(ends))
    wide = max(1.0, cell - 1.2)
    height = len(rows) * ROW + 18
    parts = [_row(name, states, ends, place, cell, wide) for place, (_, name, states) in enumerate(rows)]
    every = max(1, len(ends) // 9)
    dates = format_html_join(
        "", '<text x="{}" y="{}" text-anchor="middle">{}</text>',
        ((f"{LABEL + (i + 0.5) * cell:.0f}", height - 4, ends[i].strftime("%d %b %y"))
         for i in range(every // 2, len(ends), every)),
    )  # fmt: skip
    return format_html(
        '<svg class="chart strip" viewBox="0 0 {} {}" role="img" tabindex="0" data-label="{}" data-cell="{}" '
        'data-row="{}" aria-label="{}">{}{}</svg>',
        width, height, LABEL, f"{cell:.4f}", ROW, in_words(rows, ends),
        format_html_join("", "{}", ((part,) for part in parts)), dates,
    )  # fmt: skip


def strip_data(rows: Sequence[tuple[str, str, Mapping[datetime, str]]], ends: Sequence[datetime]) -> dict[str, object]:
    """For the script: names, window ends in seconds, states by first letter ("-" where there is no window)."""
    return {
        "keys": [key for key, _, _ in rows],
        "names": [name for _, name, _ in rows],
        "t": [int(end.timestamp()) for end in ends],
        "s": ["".join(states.get(end, "-")[0] for end in ends) for _, _, states in rows],
    }


def in_words(rows: Sequence[tuple[str, str, Mapping[datetime, str]]], ends: Sequence[datetime]) -> str:
    by_state = {
        state: [name for _, name, states in rows if ends and states.get(ends[-1]) == state]
        for state in ("act", "watch")
    }
    told = "; ".join(f"{state}: {', '.join(names)}" for state, names in by_state.items() if names)
    return f"States of {len(rows)} signals in {len(ends)} windows. Newest window, {told or 'nothing moved'}."


def _row(
    name: str, states: Mapping[datetime, str], ends: Sequence[datetime], place: int, cell: float, wide: float
) -> SafeString:
    floor = place * ROW + ROW - 1
    paths: dict[str, list[str]] = {}
    for column, end in enumerate(ends):
        state = states.get(end)
        if state is None:
            continue
        tall = HEIGHTS.get(state, 7)
        paths.setdefault(state, []).append(f"M{LABEL + column * cell:.0f} {floor}v-{tall}h{wide:.1f}v{tall}z")
    drawn = format_html_join(
        "", '<path class="cell {}" d="{}"/>', ((state, "".join(path)) for state, path in paths.items())
    )
    return format_html('<text x="{}" y="{}" text-anchor="end">{}</text>{}', LABEL - 8, floor - 1, _short(name), drawn)


def _short(name: str) -> str:
    return name if len(name) <= 22 else f"{name[:21]}…"
