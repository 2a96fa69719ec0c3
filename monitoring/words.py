"""What happened, in sentences a physicist would say, made from the findings alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from monitoring.drift.catalogue import DETECTORS
from monitoring.selectors.charts import Stream, moved_since

QUANTITY_WORDS = {
    "w1_sd": "distance from the reference (W1/σ)",
    "psi": "population stability index",
    "ks": "Kolmogorov–Smirnov distance",
    "js": "Jensen–Shannon distance",
    "chi_square": "change of shares (Cramér's V)",
    "auroc": "AUROC",
    "average_precision": "average precision",
    "ppv": "positive predictive value",
    "npv": "negative predictive value",
    "ece": "expected calibration error",
    "hd95": "HD95",
    "iou": "intersection over union",
    "nsd": "normalised surface distance",
    "assd": "average surface distance",
    "tre": "target registration error",
    "dice": "Dice",
    "volume": "cases",
    "rff_mmd": "distance of embeddings (MMD)",
    "c2st": "classifier's AUROC between windows",
    "concordance": "concordance index",
    "labelled_share": "label maturity",
}
SPELT = {
    "snr": "SNR", "cnr": "CNR", "sd": "SD", "kvp": "kVp", "mm2": "mm²", "ml": "mL", "hu": "HU", "p1": "1st percentile",
    "p50": "median", "p99": "99th percentile",
}  # fmt: skip
SHORT_WORDS = {"w1_sd": "W1/σ", "psi": "PSI", "ks": "KS distance", "js": "JS distance", "chi_square": "Cramér's V"}
BADGES = {
    "estimated_": "estimated, unlabelled",
    "powered_": "from few labels",
    "corrected_": "corrected for verification",
}


def name_of(quantity: str) -> str:
    for prefix in BADGES:
        if quantity.startswith(prefix):
            return f"{name_of(quantity.removeprefix(prefix))} ({BADGES[prefix]})"
    if quantity in QUANTITY_WORDS:
        return QUANTITY_WORDS[quantity]
    if quantity in DETECTORS:
        return DETECTORS[quantity].title
    return quantity.replace("_", " ")


def signal_name(signal: str) -> str:
    """``meta_age`` as "age", ``q_noise_sd`` as "noise SD"."""
    for prefix in ("meta_", "q_"):
        signal = signal.removeprefix(prefix)
    return " ".join(SPELT.get(word, word) for word in signal.split("_"))


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def place_name(stratum: str) -> str:
    """``sex=F;site=nih`` as "nih, sex F"; empty for all cases."""
    parts = dict(part.split("=", 1) for part in stratum.split(";") if "=" in part)
    site = [parts.pop("site")] if "site" in parts else []
    return ", ".join(site + [f"{factor.removeprefix('meta_')} {level}" for factor, level in parts.items()])


def number(value: float | None) -> str:
    return "no value" if value is None else f"{value:.3g}"


def percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def date(moment: datetime) -> str:
    return f"{moment.day} {moment:%b %Y}"


def change(stream: Stream, content: Mapping[str, Any] | None) -> str:
    """What moved, from where to where: "AP share rose from 31 % to 58 % since 12 Mar 2026 at site B"."""
    first = moved_since(stream.steps)
    if first is None:
        return ""
    subject = capital(signal_name(stream.signal) or name_of(stream.quantity))
    place = place_name(stream.stratum)
    tail = f" since {date(first.start)}{f' at {place}' if place else ''}"
    details = (content or {}).get("details") or {}
    levels = _largest_change(details)
    if levels:
        level, before, after = levels
        verb = "rose" if after > before else "fell"
        return f"{subject}: the share of {level} {verb} from {percent(before)} to {percent(after)}{tail}"
    shift = details.get("mean_change")
    if shift is not None and details.get("reference_sd"):
        verb = "rose" if shift > 0 else "fell"
        if abs(shift) < 0.1 * details["reference_sd"]:
            return f"{subject} changed its spread ({name_of(stream.quantity)} {number(stream.last.value)}){tail}"
        return (
            f"{subject} {verb} by {number(abs(shift))} on average ({abs(shift) / details['reference_sd']:.1f} sd){tail}"
        )
    level_word = "stands at act level" if stream.last.state == "act" else "is to be watched"
    return f"{subject} {level_word} ({name_of(stream.quantity)} {number(stream.last.value)}){tail}"


def _largest_change(details: Mapping[str, Any]) -> tuple[str, float, float] | None:
    levels, before, after = (details.get(key) for key in ("levels", "reference_counts", "current_counts"))
    if not levels or not before or not after or not sum(before) or not sum(after):
        return None
    shares = [(str(level), b / sum(before), a / sum(after)) for level, b, a in zip(levels, before, after, strict=True)]
    # of two levels that changed places, the one that came is told
    level, first, second = max(shares, key=lambda row: (round(abs(row[2] - row[1]), 9), row[2]))
    return (level if level != "__missing__" else "missing values", first, second) if first != second else None


def performance_words(streams: Sequence[Stream], contents: Mapping[Any, Mapping[str, Any]]) -> str:
    """What is known of performance now, or why nothing is."""
    realised = [one for one in streams if one.family == "performance" and not one.quantity.startswith(tuple(BADGES))]
    if not realised:
        return "performance is not yet known: no labels came in"
    told = []
    for one in realised:
        last = one.last
        if last.state == "insufficient" or last.value is None:
            continue
        interval = (contents.get((one.deployment, *one.key)) or {}).get("interval")
        spread = f" ({number(interval['low'])} to {number(interval['high'])})" if interval else ""
        verb = {"act": "fell to", "watch": "may have fallen to"}.get(last.state, "holds at")
        told.append(f"{name_of(one.quantity)} {verb} {number(last.value)}{spread}")
    return "; ".join(told[:2]) if told else "performance is not yet known: too few labels"


def story(streams: Sequence[Stream], contents: Mapping[Any, Mapping[str, Any]], *, most: int = 2) -> list[str]:
    """Sentences, the strongest change first; then whether the scores followed; then what is known of performance."""
    moved = [(one, moved_since(one.steps)) for one in streams if one.family != "performance"]
    ranked = sorted(
        ((one, first) for one, first in moved if first is not None),
        key=lambda pair: (pair[0].last.state != "act", pair[1].start, -(pair[0].last.value or 0.0)),
    )
    sentences: list[str] = []
    seen: set[str] = set()
    for one, _ in ranked:
        if one.signal not in seen and len(sentences) < most and (one.family != "output" or len(ranked) == 1):
            seen.add(one.signal)
            sentences.append(change(one, contents.get((one.deployment, *one.key))))
    outputs = [(one, first) for one, first in ranked if one.family == "output"]
    if outputs and sentences and outputs[0][0].signal not in seen:
        one, first = outputs[0]
        place = place_name(one.stratum)
        sentences.append(f"The model's {signal_name(one.signal) or 'output'} moved too, since {date(first.start)}"
                         f"{f' at {place}' if place else ''}")  # fmt: skip
    elif outputs and not sentences:
        sentences.append(change(outputs[0][0], contents.get((outputs[0][0].deployment, *outputs[0][0].key))))
    elif sentences:
        sentences.append("The model's output did not move")
    performance = capital(performance_words(streams, contents))
    return [*sentences, performance]


def expected_words(volume: Stream | None, expected: float | None) -> str:
    """How the newest window's number of cases compares with the usual one; empty where either is unknown."""
    now = volume.last.value if volume else None
    if not expected or now is None:
        return ""
    share = now / expected - 1
    return "as expected" if abs(share) < 0.1 else f"{100 * share:+.0f} % against the usual {expected:.0f}"
