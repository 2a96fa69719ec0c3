"""From Findings to the data of charts: grouping and choosing only, no value is computed here."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from reporting.dossier import numbers
from reporting.dossier.contents import Evidence, Figure
from reporting.dossier.sources import Sources

CHARTS = {
    "cusum": "CUSUM of weekly means",
    "ewma": "EWMA of weekly means",
    "shewhart": "Shewhart chart of weekly means",
    "e_detector": "E-process of errors",
    "risk_adjusted_cusum": "Risk-adjusted CUSUM",
}


def series(evidence: Iterable[Evidence]) -> dict[tuple[str, str, str], list[Evidence]]:
    """Windowed Findings by (quantity, signal, stratum), each in the order of its windows."""
    found: dict[tuple[str, str, str], list[Evidence]] = defaultdict(list)
    for item in evidence:
        f = item.finding
        if f.get("window"):
            found[f["quantity"], f["signal"], numbers.stratum(f["stratum"])].append(item)
    return {key: sorted(items, key=lambda i: i.finding["window"]["start"]) for key, items in sorted(found.items())}


def timelines(
    evidence: Iterable[Evidence], sources: Sources, *, prefix: str, most: int = 12, zero: bool = True, least: int = 2
) -> Iterator[Figure]:
    """A chart for each series of two windows or more; those with the worst states first, at most ``most``."""
    rank = {"act": 0, "watch": 1, "insufficient": 3, "ok": 2}
    found = [(key, items) for key, items in series(evidence).items() if len(items) >= least]
    found.sort(key=lambda pair: (min(rank[i.finding["state"]] for i in pair[1]), pair[0]))
    for place, ((quantity, signal, where), items) in enumerate(found[:most], start=1):
        yield timeline(
            items,
            sources,
            figure_id=f"{prefix}-{place}",
            zero=zero,
            title=f"{numbers.words(quantity)} of {numbers.words(signal) if signal else 'the model'}, {where}",
        )


def timeline(items: list[Evidence], sources: Sources, *, figure_id: str, title: str, zero: bool) -> Figure:
    first = items[0].finding
    settings = first["method"].get("parameters", {})
    points = [
        {
            "start": f["window"]["start"],
            "end": f["window"]["end"],
            "value": f["value"],
            "state": f["state"],
            "low": (f["interval"] or {}).get("low"),
            "high": (f["interval"] or {}).get("high"),
        }
        for f in (item.finding for item in items)
    ]
    data: dict[str, Any] = {
        "points": points,
        "zero": zero,
        "unit_words": _unit(first),
        "watch": settings.get("watch") if zero else None,
        "act": settings.get("act") if zero else None,
        "floor": settings.get("limit"),
        "chance": [((f["null"] or {}).get("quantiles") or {}).get("0.99") for f in (item.finding for item in items)],
        "changes": changes(sources, items),
    }
    known = [p for p in points if p["value"] is not None]
    acts = sum(p["state"] == "act" for p in points)
    last = known[-1] if known else None
    told = f"{len(points)} windows, {len(points) - len(known)} without a value, {acts} in state act."
    if last:
        told += f" Last: {numbers.printed(last['value'])} on {numbers.day(last['end'])} ({last['state']})."
    if zero:
        told += " The shaded band is what chance alone gives in 99 of 100 windows."
    return Figure(
        id=figure_id, chart="timeline", title=title, text=told, data=data, evidence=[item.id for item in items]
    )


def changes(sources: Sources, items: list[Evidence]) -> list[dict[str, str]]:
    """Change points: where an alarm on this series opened, and changes of software that somebody recorded."""
    first, last = items[0].finding["window"]["start"], items[-1].finding["window"]["end"]
    signal = items[0].finding["signal"]
    where = items[0].finding["stratum"]
    marks = [
        {"at": alarm["window_start"], "word": "alarm"}
        for alarm in sources.alarms
        if alarm["signal"] == signal and alarm["stratum_parts"] == where and first <= alarm["window_start"] <= last
    ]
    marks += [{"at": c["at"], "word": c["word"]} for c in sources.changes if first <= c["at"] <= last]
    return marks[:4]


def forest(
    items: list[Evidence],
    pooled: Evidence | None,
    *,
    figure_id: str,
    title: str,
    factor: str = "site",
    line: float | None = None,
) -> Figure:
    rows = [
        {
            "name": item.finding["stratum"].get(factor, "?"),
            "value": item.finding["value"],
            "n": item.finding["n_cases"],
            "state": item.finding["state"],
            "low": (item.finding["interval"] or {}).get("low"),
            "high": (item.finding["interval"] or {}).get("high"),
        }
        for item in sorted(items, key=lambda i: i.finding["stratum"].get(factor, ""))
    ]
    data: dict[str, Any] = {
        "rows": rows,
        "factor": factor.capitalize(),
        "unit_words": _unit(items[0].finding),
        "line": line,
    }
    if pooled and pooled.finding["value"] is not None:
        f = pooled.finding
        data["pooled"] = {
            "name": "Pooled",
            "value": f["value"],
            "n": f["n_cases"],
            "low": (f["interval"] or {}).get("low"),
            "high": (f["interval"] or {}).get("high"),
            "prediction": f["details"].get("prediction_interval"),
        }
    told = (
        f"{len(rows)} levels of {factor}; squares are in state act, triangles in watch, hollow rings have "
        "too few cases."
    )
    evidence = [item.id for item in items] + ([pooled.id] if pooled else [])
    return Figure(id=figure_id, chart="forest", title=title, text=told, data=data, evidence=evidence)


def gaps(items: list[Evidence], *, figure_id: str, title: str, line: float | None) -> Figure | None:
    """Values by level of every factor but the site."""
    groups: dict[str, list[Evidence]] = defaultdict(list)
    for item in items:
        (factor,) = item.finding["stratum"] if len(item.finding["stratum"]) == 1 else ("",)
        if factor and factor != "site":
            groups[factor].append(item)
    if not groups:
        return None
    chosen = [
        forest(members, None, figure_id="", title="", factor=factor).data["rows"] for factor, members in groups.items()
    ]
    data = {
        "groups": [{"factor": numbers.words(f), "rows": rows} for f, rows in zip(groups, chosen, strict=True)],
        "line": line,
        "unit_words": _unit(items[0].finding),
    }
    text = (
        f"{sum(map(len, groups.values()))} groups of {len(groups)} factors; the dashed line is the value of all cases."
    )
    return Figure(
        id=figure_id,
        chart="subgroup_gaps",
        title=title,
        text=text,
        data=data,
        evidence=[item.id for members in groups.values() for item in members],
    )


def severities(items: list[Evidence], *, figure_id: str, title: str) -> Figure | None:
    """Values over severities of each shift, from Findings whose stratum names shift and severity."""
    curves: dict[str, list[Evidence]] = defaultdict(list)
    for item in items:
        stratum = item.finding["stratum"]
        if "severity" in stratum and item.finding["value"] is not None:
            curves[stratum.get("shift", "shift")].append(item)
    if not curves:
        return None
    data = {
        "unit_words": _unit(items[0].finding),
        "curves": [
            {
                "name": numbers.words(name),
                "points": [
                    [
                        float(i.finding["stratum"]["severity"]),
                        i.finding["value"],
                        (i.finding["interval"] or {}).get("low"),
                        (i.finding["interval"] or {}).get("high"),
                    ]
                    for i in sorted(members, key=lambda i: float(i.finding["stratum"]["severity"]))
                ],
            }
            for name, members in sorted(curves.items())
        ][:9],
    }
    return Figure(
        id=figure_id,
        chart="severity",
        title=title,
        text=f"{len(curves)} kinds of shift over their severities.",
        data=data,
        evidence=[i.id for members in curves.values() for i in members],
    )


def paths(items: list[Evidence], *, prefix: str, most: int = 6) -> Iterator[Figure]:
    """Paths of sequential statistics, from Findings whose details carry the path and its limit."""
    shown, rank = 0, {"act": 0, "watch": 1, "ok": 2, "insufficient": 3}
    for item in sorted(items, key=lambda i: rank[i.finding["state"]]):
        details = item.finding.get("details") or {}
        values, limit = details.get("path"), details.get("limit", item.finding["method"]["parameters"].get("limit"))
        if not values or limit is None or shown == most:
            continue
        shown += 1
        alarm, every, step = details.get("alarm_index"), int(details.get("every", 1)), details.get("step", "case")
        n = f"{item.finding['n_cases']:,} cases"
        told = f"{len(values)} weeks of {n}, " if step == "week" else f"{n} in the order of their studies, "
        evidence = item.finding["quantity"] == "e_detector"  # it multiplies, so it is read by its powers of ten
        if evidence:
            values, limit = [math.log10(max(v, 1e-2)) for v in values], math.log10(limit)
            told = f"{told}drawn as powers of ten, "
        yield Figure(
            id=f"{prefix}-{shown}",
            chart="path",
            open_to="regulator",
            title=f"{CHARTS.get(item.finding['quantity'], numbers.words(item.finding['quantity']))}: "
            f"{numbers.words(item.finding['signal'])}",
            text=told
            + (f"alarm at {step} {alarm + 1:,}." if alarm is not None else "no alarm.")
            + _promise(details, step),
            data={
                "values": values,
                "limit": limit,
                "upper": details.get("upper"),
                "both": item.finding["quantity"] in ("ewma", "shewhart"),
                "alarm": None if alarm is None else alarm // every,
                "every": every,
                "step_words": step,
                "unit_words": "evidence, log10" if evidence else "statistic",
            },
            evidence=[item.id],
        )


def _promise(details: dict[str, Any], step: str) -> str:
    """What the chart's design promises: how often it is wrong, and how soon it sees the change it is made for."""
    if not details.get("arl0"):
        return ""
    told = f" By design one false alarm in {numbers.printed(round(details['arl0']))} {step}s on average"
    if details.get("arl1"):
        told += f", and {numbers.printed(details['arl1'], digits=3)} {step}s to an alarm once the {details['arl1_at']}"
    return told + "."


def _unit(finding: dict[str, Any]) -> str:
    unit = finding["unit"]
    return f"{numbers.words(finding['quantity'])}{'' if unit in ('', '1') else f' ({unit})'}"
