"""Words of the deadlines catalogue on pages."""

from django import template

register = template.Library()


@register.filter
def words(key: str) -> str:
    """``user_facility`` as people say it."""
    return key.replace("_", " ")
