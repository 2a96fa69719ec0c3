"""Subgroups side by side: each level's value with its interval against the value of all cases."""

from __future__ import annotations

from typing import Any

from reporting.dossier.charts.forest import forest
from reporting.dossier.charts.picture import Picture


def subgroup_gaps(data: dict[str, Any], *, width: float, height: float = 0) -> Picture:
    """``groups``: [{factor, rows: [...]}], ``line``: the value of all cases. Drawn as one forest, factor by factor."""
    rows = []
    for group in data["groups"]:
        rows += [{**row, "name": f"{group['factor']}: {row['name']}"} for row in group["rows"]]
    return forest({**data, "rows": rows, "pooled": None, "factor": "Subgroup"}, width=width)
