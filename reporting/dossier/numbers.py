"""How numbers, times and method records are spelt in print: one way, readable back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MINUS = "−"


def printed(value: float | int | None, *, digits: int = 4) -> str:
    """Four significant digits (more for whole numbers), never in a form that hides the size.

    >>> printed(0.123456), printed(1234567), printed(-0.00001234), printed(12.0), printed(None)
    ('0.1235', '1,234,567', '−1.234e-05', '12', '—')
    """
    if value is None:
        return "—"
    if float(value).is_integer() and abs(value) < 1e15:
        text = f"{int(value):,}"
    else:
        text = f"{value:.{digits}g}" if abs(value) < 10**digits else f"{value:,.1f}"
    return text.replace("-", MINUS, 1) if text.startswith("-") else text


def with_unit(value: float | None, unit: str) -> str:
    text = printed(value)
    return text if unit in ("1", "") or value is None else f"{text} {unit}"


def interval(part: Mapping[str, Any] | None) -> str:
    """``0.81 to 0.87 (95 %, delong)``."""
    if not part:
        return ""
    level = f"{part['level']:.4g}"
    percent = f"{float(level) * 100:g} %"
    return f"{printed(part['low'])} to {printed(part['high'])} ({percent}, {part['method'].replace('_', ' ')})"


def null_law(part: Mapping[str, Any] | None) -> str:
    """What chance alone gives: the 99 % quantile and the p-value."""
    if not part:
        return ""
    quantile = part["quantiles"].get("0.99")
    told = [f"chance 99 %: {printed(quantile)}"] if quantile is not None else []
    p = part.get("p_value")
    if p is not None:
        told.append("p < 0.0001" if p < 1e-4 else f"p = {printed(p, digits=2)}")
    return ", ".join(told)


def alarm_limit(finding: Mapping[str, Any]) -> str:
    """Of a control chart: the limit of its last point, and how rare a false alarm is by design."""
    details = finding.get("details") or {}
    if "alarm_index" not in details or details.get("limit") is None:
        return ""
    told = f"alarm limit {printed(details['limit'])}"
    if details.get("arl0"):
        told += f" (a false alarm in {printed(round(details['arl0']))} {str(details.get('step', 'point')).split()[0]}s)"
    return told


def spread(finding: Mapping[str, Any]) -> str:
    """What stands beside a value: its interval, else what chance gives, else the limit of its chart."""
    return interval(finding["interval"]) or null_law(finding["null"]) or alarm_limit(finding)


def window(part: Mapping[str, Any] | None) -> str:
    if not part:
        return "no window"
    return f"{day(part['start'])} to {day(part['end'])}"


def span(finding: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The window of a Finding; of an evaluation made for a dossier, the dossier's period."""
    return finding.get("window") or (finding.get("details") or {}).get("evaluation")


def day(iso: str) -> str:
    return iso[:10]


def moment(iso: str) -> str:
    """``2026-11-24 21:10 UTC`` from ISO 8601 in UTC; another zone keeps its offset."""
    if not iso:
        return "—"
    zone = iso[19:] if len(iso) > 19 else ""
    zone = "UTC" if zone.endswith(("+00:00", "Z")) else zone[-6:]
    return f"{iso[:10]} {iso[11:16]} {zone}".strip()


def method(part: Mapping[str, Any]) -> str:
    """``psi (vigil 1; bins=10; seed 0)``."""
    settings = "; ".join(f"{name}={_setting(value)}" for name, value in sorted(part.get("parameters", {}).items()))
    seed = part.get("seed")
    told = "; ".join(
        filter(
            None,
            (
                f"{part['implementation']} {part['version']}",
                settings,
                f"seed {seed}" if seed is not None else "no seed",
            ),
        )
    )
    return f"{part['key']} ({told})"


def _setting(value: Any) -> str:
    if isinstance(value, list | tuple):
        return "/".join(_setting(part) for part in value)
    return printed(value) if isinstance(value, int | float) and not isinstance(value, bool) else str(value)


def stratum(part: Mapping[str, str]) -> str:
    return ", ".join(f"{factor} {level}" for factor, level in sorted(part.items())) or "all cases"


def words(key: str) -> str:
    """A key as words: ``w1_sd`` → ``w1 sd``, ``q_noise`` → ``noise``."""
    for prefix in ("q_", "meta_"):
        key = key.removeprefix(prefix)
    return key.replace("_", " ")
