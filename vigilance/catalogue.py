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


FRAMEWORK_NAMES = {
    "eu-mdr": "EU MDR 2017/745",
    "eu-ai-act": "EU AI Act 2024/1689",
    "uk-pms": "UK PMS Regulations 2024",
    "cfr-803": "US 21 CFR 803 and 806",
    "gdpr": "EU GDPR 2016/679",
}


def frameworks() -> dict[str, str]:
    """Frameworks with a reporting duty in the catalogue, by id."""
    used = {duty.framework for duty in duties().values()}
    return {key: FRAMEWORK_NAMES.get(key, key) for key in [*FRAMEWORK_NAMES, *sorted(used)] if key in used}
