"""What happened, in sentences a physicist would say, made from the findings alone."""

from collections.abc import Sequence

from assurance.selectors.findings import FindingSeries, WindowValue

QUANTITY_WORDS = {
    "w1_sd": "distance from the reference (W1/σ)",
    "psi": "population stability index",
    "ks": "Kolmogorov–Smirnov distance",
    "js": "Jensen–Shannon distance",
    "chi_square": "change of shares (Cramér's V)",
    "auroc": "AUROC",
    "dice": "Dice",
    "volume": "cases",
}


def name_of(quantity: str) -> str:
    return QUANTITY_WORDS.get(quantity, quantity.replace("_", " "))


def signal_name(signal: str) -> str:
    """``meta_age`` as "age", ``q_noise_sd`` as "noise sd"."""
    for prefix in ("meta_", "q_"):
        if signal.startswith(prefix):
            return signal[len(prefix) :].replace("_", " ")
    return signal.replace("_", " ")


def moved_since(series: FindingSeries) -> WindowValue | None:
    """The first window of the unbroken run of ``watch`` or ``act`` that lasts until now."""
    first = None
    for value in reversed(series.values):
        if value.state not in ("watch", "act"):
            break
        first = value
    return first


def sentence(series: FindingSeries) -> str:
    """One series in one sentence; empty when nothing moved."""
    first = moved_since(series)
    if first is None:
        return ""
    last = series.last
    where = f" at {series.stratum.removeprefix('site=')}" if series.stratum else ""
    verb = "stands at act level" if last.state == "act" else "is to be watched"
    number = "" if last.value is None else f" ({name_of(series.quantity)} {last.value:.2g}, n = {last.n_cases})"
    subject = signal_name(series.signal) or name_of(series.quantity)
    return f"{subject.capitalize()}{where} {verb}{number} since {first.start.day} {first.start:%b %Y}"


def summary(all_series: Sequence[FindingSeries], *, most: int = 3) -> list[str]:
    """The strongest changes first: act before watch, then the longest run; one sentence for a signal and place."""
    moved = [(series, moved_since(series)) for series in all_series]
    ranked = sorted(
        ((series, first) for series, first in moved if first is not None),
        key=lambda pair: (pair[0].last.state != "act", pair[1].start),
    )
    sentences: list[str] = []
    seen: set[tuple[str, str]] = set()
    for series, _ in ranked:
        place = (series.signal, series.stratum)
        if place not in seen:
            seen.add(place)
            sentences.append(sentence(series))
    return sentences[:most]
