"""Words of tokens and the trail on pages."""

from collections.abc import Iterable

from django import template

from accounts.forms import VERB_WORDS

register = template.Library()


@register.filter
def verb_words(verbs: Iterable[str]) -> str:
    """``["see", "send_predictions"]`` as people say it."""
    return ", ".join(VERB_WORDS.get(verb, verb.replace("_", " ")) for verb in verbs)
