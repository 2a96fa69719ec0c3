"""Day states, window states and rankings of a dossier's period as the bundle carries them."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Any

import numpy as np

from assurance.models import Deployment
from monitoring.drift.state import state_from_bytes
from monitoring.models import ReferenceSet, WindowRun
from monitoring.windows import inputs
from monitoring.windows.calendar import Span
from reporting.dossier import numbers
from reporting.dossier.contents import Evidence
from reporting.dossier.control_charts import outcomes_of
from reporting.dossier.recompute import FORMAT, VERSION, ranks, state_json, total_of
from reporting.models import Dossier
from reporting.selectors.day_states import day_states
from reporting.selectors.labelled import LabelledCases, labelled_cases

COMPARED = ("w1_sd", "ks", "psi", "js", "chi_square")
CHARTED = ("cusum", "ewma", "shewhart")


def recompute_inputs(
    dossier: Dossier, evidence: tuple[Evidence, ...], cases: dict[str, LabelledCases]
) -> dict[str, Any]:
    """``references``, ``comparisons``, ``days`` and ``rankings``; see ``recompute/README.md`` in the bundle.

    ``cases`` are the labelled cases of the period by deployment name.
    """
    made: dict[str, Any] = {
        "format": FORMAT,
        "version": VERSION,
        "references": {},
        "comparisons": [],
        "days": [],
        "rankings": [],
        "charts": [],
        "outcomes": [],
    }
    deployments = dossier.deployments()
    for deployment in deployments:
        own = tuple(e for e in evidence if e.deployment in ("", deployment.name))
        _comparisons(dossier, deployment, own, made)
        made["rankings"] += _rankings(dossier, deployment, own, cases.get(deployment.name))
        made["charts"] += [
            {"evidence": item.id, "deployment": deployment.name, "start": dossier.start.date().isoformat()}
            for item in own
            if item.finding["quantity"] in CHARTED and "weeks" in (item.finding["details"] or {})
        ]
        made["outcomes"] += _outcomes(own, cases.get(deployment.name))
    return made


def _outcomes(evidence: tuple[Evidence, ...], cases: LabelledCases | None) -> list[dict[str, Any]]:
    """Right and wrong in the order of the studies for each e-process whose cases are still the same."""
    found = []
    for item in evidence if cases else ():
        f, details = item.finding, item.finding["details"] or {}
        if f["quantity"] != "e_detector" or "threshold" not in details or cases is None:
            continue
        outcomes = outcomes_of(cases.labels, cases.scores, quantity=details["quantity"], threshold=details["threshold"])
        if outcomes.size == f["n_cases"] and int(outcomes.sum()) == details["errors"]:
            found.append({"evidence": item.id, "outcomes": "".join(map(str, outcomes.tolist()))})
    return found


def _comparisons(
    dossier: Dossier, deployment: Deployment, evidence: tuple[Evidence, ...], made: dict[str, Any]
) -> None:
    wanted = _wanted(evidence)
    sets = ReferenceSet.objects.filter(deployment=deployment, version=dossier.version)
    references = {f"{r.name} {r.sha256[:12]}": r for r in sets}
    day_rows = _days(dossier, deployment, made)
    runs = WindowRun.objects.filter(
        deployment=deployment, version=dossier.version, start__lt=dossier.end.date(), end__gt=dossier.start.date()
    )
    for run in runs:
        span = Span(run.start, run.end)
        states = inputs.window_states(deployment, span).states
        for (stratum, signal), state in sorted(states.items(), key=lambda pair: pair[0]):
            for name, keys in wanted.get((span.window.start.isoformat(), stratum, signal), {}).items():
                plain = state_json(state)
                if plain is None or name not in references:
                    continue
                reference = _reference(made, references[name], signal)
                if reference is None:
                    continue
                made["comparisons"].append(
                    {
                        "signal": signal,
                        "stratum": stratum,
                        "window": {"start": span.window.start.isoformat(), "end": span.window.end.isoformat()},
                        "reference": reference,
                        "state": plain,
                        "evidence": keys,
                        "days": _places(day_rows, span, stratum, signal) if plain["kind"] != "masses" else None,
                    }
                )


def _wanted(evidence: tuple[Evidence, ...]) -> dict[tuple[str, str, str], dict[str, list[str]]]:
    """(window start, stratum, signal) → reference → evidence ids of comparisons."""
    found: dict[tuple[str, str, str], dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for item in evidence:
        f = item.finding
        if f["quantity"] in COMPARED and f["window"] and f["reference"]:
            stratum = ";".join(f"{name}={f['stratum'][name]}" for name in sorted(f["stratum"]))
            found[f["window"]["start"], stratum, f["signal"]][f["reference"]].append(item.id)
    return found


def _reference(made: dict[str, Any], reference: ReferenceSet, signal: str) -> str | None:
    name = f"{reference.sha256[:12]}/{signal}"
    if name not in made["references"]:
        row = reference.states.filter(signal=signal).first()
        plain = state_json(state_from_bytes(bytes(row.content))) if row else None
        if plain is None:
            return None
        made["references"][name] = plain
    return name


def _days(dossier: Dossier, deployment: Deployment, made: dict[str, Any]) -> dict[tuple[Any, str, str], int]:
    """Fill ``days`` with the counts that add up exactly; where each stands, by (day, site, signal)."""
    places: dict[tuple[Any, str, str], int] = {}
    for row in day_states(dossier, deployment):
        state = state_from_bytes(bytes(row.content))
        plain = state_json(state)
        if plain is None:
            continue
        day: dict[str, Any] = {
            "day": row.day.isoformat(),
            "site": row.site,
            "signal": row.signal,
            "n": row.n,
            "missing": row.missing,
        }
        summed = total_of(state)
        if summed is not None:
            day["valued"], day["total"] = summed
        if plain["kind"] != "masses":  # sketches do not add up exactly
            places[row.day, row.site, row.signal] = len(made["days"])
            day["counts"] = plain["counts"]
            day |= {name: plain[name] for name in ("low", "high", "bins", "under", "over") if name in plain}
        made["days"].append({"deployment": deployment.name, **day})
    return places


def _places(rows: dict[tuple[Any, str, str], int], span: Span, stratum: str, signal: str) -> list[int] | None:
    site = stratum.removeprefix("site=")
    found = [
        at
        for (day, where, name), at in rows.items()
        if name == signal and span.start <= day < span.end and (not stratum or where == site)
    ]
    return sorted(found) or None


def _rankings(
    dossier: Dossier, deployment: Deployment, evidence: tuple[Evidence, ...], cases: LabelledCases | None
) -> list[dict[str, Any]]:
    """What each AUROC rests on. A finding whose cases have changed since is left out rather than shown with others."""
    by_window: dict[tuple[str, str], LabelledCases] = {}
    found = []
    for item in evidence:
        f = item.finding
        window, stratum = numbers.span(f), f["stratum"]
        if (
            f["quantity"] != "auroc"
            or f["value"] is None
            or not window
            or set(stratum) - {"site", *(cases.factors if cases else ())}
        ):
            continue
        key = (window["start"], window["end"])
        if key not in by_window:
            start, end = (datetime.fromisoformat(text) for text in key)
            by_window[key] = labelled_cases(deployment, start=start, end=end)
        chosen = by_window[key]
        here = np.ones(chosen.n, dtype=bool)
        for factor, level in stratum.items():
            here &= (chosen.sites if factor == "site" else chosen.factors[factor]).astype(str) == level
        if int(here.sum()) != f["n_cases"]:
            continue
        found.append({"evidence": item.id, "ranks": ranks(chosen.labels[here], chosen.scores[here])})
    return found
