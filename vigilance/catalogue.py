"""The catalogue of deadlines as package data, read once."""

from functools import lru_cache
from importlib.resources import files
from typing import Any

import yaml

from vigilance.deadlines.duties import Duty, read_duties


@lru_cache(maxsize=1)
def content() -> dict[str, Any]:
    text = files("assurance").joinpath("data/regulation/deadlines.yaml").read_text(encoding="utf-8")
    return dict(yaml.safe_load(text))


@lru_cache(maxsize=1)
def duties() -> dict[str, Duty]:
    return read_duties(content())


def event_kinds() -> dict[str, str]:
    return {entry["id"]: entry["title"] for entry in content()["event_kinds"]}
