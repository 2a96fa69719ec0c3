"""Words of the deadlines catalogue on pages."""

from collections.abc import Iterable

from django import template

register = template.Library()


@register.filter
def words(key: str) -> str:
    """``user_facility`` as people say it."""
    return key.replace("_", " ")


@register.filter
def words_list(keys: Iterable[str]) -> str:
    return ", ".join(words(key) for key in keys)
