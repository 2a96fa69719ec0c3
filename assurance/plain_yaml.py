"""YAML that people type into a form, as plain values: nothing that grows when read, nothing that JSON cannot hold."""

import math
from datetime import date, datetime
from typing import Any

import yaml

from assurance.evidence.errors import InvalidInput

LONGEST = 100_000
DEEPEST = 20  # a reader of deeper brackets takes time that grows with their square


def read_plain(text: str, *, what: str) -> Any:
    """``text`` as mappings, lists, texts, numbers and dates in ISO spelling.

    Raises
    ------
    InvalidInput
        ``not_readable`` for what is no YAML, ``reference`` for anchors and aliases (a few lines of them stand for
        billions of values), ``too_large``, ``too_deep``, ``wrong_type`` for values that a form has no use for.
    """
    try:
        _check_shape(text, what)
        content = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        first = (str(error).splitlines() or ["it is nested too deeply"])[0]
        raise InvalidInput("not_readable", f"{what} is not readable as `name: value` lines: {first}") from error
    return _plain(content, what)


def _check_shape(text: str, what: str) -> None:
    """Look at the file event by event and stop at the first that goes too far, before anything is built from it."""
    if len(text) > LONGEST:
        raise InvalidInput("too_large", f"{what} has {len(text)} characters: give at most {LONGEST}")
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            raise InvalidInput("reference", f"{what} refers to itself with & and *: write every value out")
        if isinstance(event, yaml.SequenceStartEvent | yaml.MappingStartEvent):
            depth += 1
        elif isinstance(event, yaml.SequenceEndEvent | yaml.MappingEndEvent):
            depth -= 1
        if depth > DEEPEST:
            raise InvalidInput("too_deep", f"{what} is nested more than {DEEPEST} deep: write it flat")


def _plain(value: Any, what: str) -> Any:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, list):
        return [_plain(item, what) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item, what) for key, item in value.items()}
    raise InvalidInput("wrong_type", f"{what} holds {str(value)[:40]!r}: write text, numbers, dates or lists of them")
