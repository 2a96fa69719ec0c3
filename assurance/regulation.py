"""The regulation catalogues as package data, each read once."""

from functools import lru_cache
from importlib.resources import files
from typing import Any

import yaml

from assurance.cards.fields import CardSchema, read_schema
from assurance.requirements.catalogue import Catalogue, read_catalogue
from assurance.submissions.machine import Machine, read_machine
from assurance.submissions.profiles import Profile, read_profile, read_profiles
from assurance.submissions.real_world import StepOfTest, read_test_steps

FOLDER = "data/regulation"


@lru_cache(maxsize=64)
def content(name: str) -> dict[str, Any]:
    return dict(yaml.safe_load(files("assurance").joinpath(f"{FOLDER}/{name}.yaml").read_text(encoding="utf-8")))


@lru_cache(maxsize=1)
def catalogue() -> Catalogue:
    names = sorted(p.name[:-5] for p in files("assurance").joinpath(FOLDER).iterdir() if p.name.endswith(".yaml"))
    frameworks = [content(name) for name in names if content(name).get("kind") == "framework"]
    return read_catalogue(frameworks, content("evidence_kinds"))


@lru_cache(maxsize=1)
def machine() -> Machine:
    return read_machine(content("submission_states"))


@lru_cache(maxsize=1)
def steps_of_test() -> dict[str, StepOfTest]:
    return read_test_steps(content("submission_states")["real_world_test"])


def retention_rule() -> dict[str, Any]:
    """How long technical papers are kept at the authority's disposal: the longest rule that names them."""
    return next(entry for entry in content("deadlines")["retention"] if entry["id"] == "ret-eu-aia-docs")


def event_kinds() -> dict[str, str]:
    """Kinds of event that start a legal clock, with their titles."""
    return {entry["id"]: entry["title"] for entry in content("deadlines")["event_kinds"]}


@lru_cache(maxsize=1)
def profiles() -> dict[str, Profile]:
    return read_profiles(content("submission_states"), content("deadlines"))


def profile_terms(key: str) -> dict[str, Any]:
    """What a submission keeps of its programme: the entry itself and the clocks that it names."""
    entry = next(entry for entry in content("submission_states")["profiles"] if entry["id"] == key)
    wanted = {rule.get("clock") for rule in entry["clocks"]}
    return {"entry": entry, "clocks": [c for c in content("deadlines")["process_clocks"] if c["id"] in wanted]}


def profile_from(terms: dict[str, Any]) -> Profile:
    """The programme as a submission froze it."""
    return read_profile(terms["entry"], {clock["id"]: clock for clock in terms["clocks"]})


@lru_cache(maxsize=1)
def card_schema() -> CardSchema:
    return read_schema(content("model_card_fields"))


def blocking_kinds() -> dict[str, str]:
    return {entry["kind"]: entry["title"] for entry in content("submission_states")["blocking_kinds"]}


def warning_kinds() -> list[str]:
    return list(content("submission_states")["warning_kinds"])
