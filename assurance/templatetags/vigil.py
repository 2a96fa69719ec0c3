"""How values, states and times look on every page."""

import math
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import urlencode

from django import template
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from accounts.models import Role
from assurance.evidence.finding import State
from assurance.services.method_pages import read_method

register = template.Library()

SHAPES = {  # a shape for each state, so that a reader who sees no colour reads the same
    "ok": '<circle cx="8" cy="8" r="7" fill="currentColor"/><path d="m4.5 8.2 2.4 2.4 4.6-5" fill="none" '
    'stroke="var(--sheet)" stroke-width="2"/>',
    "watch": '<path d="M8 1 15.5 14.5H.5z" fill="currentColor"/><path d="M8 6v4m0 1.3v1.6" stroke="var(--sheet)" '
    'stroke-width="1.8"/>',
    "act": '<path d="M5 .8h6L15.2 5v6L11 15.2H5L.8 11V5z" fill="currentColor"/><path d="M8 3.8v5m0 1.7v1.9" '
    'stroke="var(--sheet)" stroke-width="2"/>',
    "insufficient": '<circle cx="8" cy="8" r="6.3" fill="none" stroke="currentColor" stroke-width="1.6" '
    'stroke-dasharray="3 2"/>',
}
WORDS = {"ok": "OK", "watch": "Watch", "act": "Act", "insufficient": "Insufficient"}


@register.simple_tag
def state(value: str | State, word: str = "") -> SafeString:
    """The state as shape, word and colour; ``word`` stands for the state's own where another says it better."""
    key = str(getattr(value, "value", value))
    shape = mark_safe(SHAPES[key])  # noqa: S308 -- the constant above
    return format_html(
        '<span class="state state-{}"><svg viewBox="0 0 16 16" aria-hidden="true">{}</svg>{}</span>',
        key, shape, word or WORDS[key],
    )  # fmt: skip


@register.filter
def number(value: Any, digits: int = 3) -> str:
    """A number with ``digits`` significant digits; a missing one is a dash, never a zero."""
    if value is None or value == "":
        return "–"
    value = float(value)
    if not math.isfinite(value):
        return "–"
    if value == 0:
        return "0"
    places = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{min(places, 6)}f}" if abs(value) >= 1e-4 else f"{value:.{digits - 1}e}"


@register.filter
def unit(text: str) -> str:
    """Units as printed after a number; a plain ratio has none."""
    return "" if text in ("", "1") else f" {text}"


@register.filter
def interval(content: dict[str, Any]) -> str:
    """``0.91 to 0.97 (95 %, delong)`` from a Finding's content."""
    part = content.get("interval")
    if not part:
        return "no interval"
    return f"{number(part['low'])} to {number(part['high'])} ({round(100 * part['level'])} %, {part['method']})"


@register.simple_tag
def when(moment: datetime | None) -> SafeString | str:
    """Date and time in the reader's zone, with UTC under the pointer, machine-readable."""
    if moment is None:
        return "–"
    here = timezone.localtime(moment)
    return format_html(
        '<time datetime="{}" title="{} UTC">{}</time>',
        moment.isoformat(), moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S"), here.strftime("%Y-%m-%d %H:%M %Z"),
    )  # fmt: skip


@register.simple_tag
def day(moment: datetime | date | None) -> SafeString | str:
    """A day as windows count it, in UTC."""
    if moment is None:
        return "–"
    if isinstance(moment, datetime):
        moment = moment.astimezone(UTC).date()
    return format_html('<time datetime="{}">{}</time>', moment.isoformat(), moment.strftime("%d %b %Y"))


@register.simple_tag
def ago(moment: datetime | None) -> SafeString | str:
    """How long ago, roughly, with the exact time under the pointer."""
    if moment is None:
        return "–"
    seconds = (timezone.now() - moment).total_seconds()
    for limit, size, word in ((3600, 60, "min"), (172_800, 3600, "h"), (float("inf"), 86_400, "days")):
        if seconds < limit:
            told = f"{max(0, round(seconds / size))} {word} ago"
            break
    title = f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    return format_html('<time datetime="{}" title="{}">{}</time>', moment.isoformat(), title, told)


@register.simple_tag
def help(key: str) -> SafeString | str:
    """A question mark that opens the method's page; nothing where the method has none."""
    page = read_method(key)
    if page is None:
        return ""
    return format_html(
        '<a class="help" data-help href="{}" aria-label="Help: {}">?</a>',
        reverse("assurance:method", args=[key]), page.title,
    )  # fmt: skip


@register.simple_tag
def query(**values: Any) -> str:
    """``a=1&b=2`` of the values that are given."""
    return urlencode([(name, value) for name, value in values.items() if value not in (None, "")])


@register.simple_tag
def link(name: str, *arguments: Any) -> str:
    """The address of a page, or an empty text where this instance does not have it."""
    try:
        return reverse(name, args=arguments)
    except NoReverseMatch:
        return ""


@register.filter
def get(mapping: dict[Any, Any] | None, key: Any) -> Any:
    return (mapping or {}).get(key)


@register.simple_tag
def mark(shape: str, words: str) -> SafeString:
    """A state's shape and colour with other words: "Stale" in the colour of watch, "Current" in that of ok."""
    picture = mark_safe(SHAPES[shape])  # noqa: S308 -- the constant above
    text = str(words).replace("_", " ").capitalize()
    return format_html(
        '<span class="state state-{}"><svg viewBox="0 0 16 16" aria-hidden="true">{}</svg>{}</span>',
        shape, picture, text,
    )  # fmt: skip


COVERAGE_SHAPES = {"met": "ok", "partial": "watch", "gap": "act", "not_applicable": "insufficient"}


@register.simple_tag
def coverage_state(value: str) -> SafeString:
    """met, partial, gap or not applicable as shape, word and colour."""
    return mark(COVERAGE_SHAPES[value], value)


@register.filter
def answerable(state_of_submission: str) -> bool:
    """Whether a regulator may accept or reopen answers in this state."""
    return state_of_submission in ("completeness_check", "under_assessment")


@register.filter
def words(key: Any) -> str:
    """``end_date`` as "end date"."""
    return str(key).replace("_", " ")


@register.filter
def role_name(key: str) -> str:
    """A role as people call it; "the instance" for its own steps."""
    return dict(Role.choices).get(key, "the instance" if key == "system" else str(key))


@register.filter
def plain(value: Any) -> str:
    """Lists and named parts of a plan in one line."""
    if isinstance(value, dict):
        return ", ".join(f"{name} {plain(part)}" for name, part in value.items()) or "none"
    if isinstance(value, list):
        return "; ".join(plain(part) for part in value) or "none"
    return {True: "yes", False: "no", None: "none", "": "none"}.get(value, str(value))


@register.filter
def pairs(text: str) -> list[tuple[str, str]]:
    """``"key:Title,other:Title"`` for a short list that a template offers."""
    return [(key, title) for key, _, title in (part.partition(":") for part in text.split(","))]
