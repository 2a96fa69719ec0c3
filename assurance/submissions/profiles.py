"""Programme profiles: what one regulator's programme asks for, as data that a submission keeps a copy of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from assurance.evidence.errors import InvalidInput
from assurance.submissions.clocks import Terms


@dataclass(frozen=True, slots=True)
class ClockRule:
    """A clock that starts on entering one of ``starts_in`` and stops on entering one of ``ends_in``."""

    terms: Terms
    starts_in: tuple[str, ...]
    ends_in: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Profile:
    id: str
    version: str
    title: str
    frameworks: tuple[str, ...]
    clocks: tuple[ClockRule, ...]
    plan: str
    sites_sign: str
    advice_only: bool
    appeal_days: int
    answer_days: int
    withdrawal_after_days: int
    comment_days: int
    extension_days_before: int
    longest_real_world_months: int | None
    personal_data_rules: str
    documents: tuple[str, ...]
    publication: str
    criteria: tuple[str, ...]

    def sites_must_sign(self, *, real_world: bool) -> bool:
        return self.sites_sign == "always" or (self.sites_sign == "when_real_world" and real_world)


def read_profiles(states: Mapping[str, Any], deadlines: Mapping[str, Any]) -> dict[str, Profile]:
    """The profiles of ``submission_states.yaml`` with the clocks that they name in ``deadlines.yaml``."""
    known = {entry["id"]: entry for entry in deadlines["process_clocks"]}
    return {entry["id"]: read_profile(entry, known) for entry in states["profiles"]}


def read_profile(entry: Mapping[str, Any], known_clocks: Mapping[str, Any]) -> Profile:
    return Profile(
        id=entry["id"], version=str(entry["version"]), title=entry["title"], frameworks=tuple(entry["frameworks"]),
        clocks=tuple(_clock(rule, known_clocks) for rule in entry["clocks"]), plan=entry["plan"],
        sites_sign=entry["sites_sign"], advice_only=bool(entry["advice_only"]), appeal_days=entry["appeal_days"],
        answer_days=entry["answer_days"], withdrawal_after_days=entry["withdrawal_after_days"],
        comment_days=entry["comment_days"], extension_days_before=entry["extension_days_before"],
        longest_real_world_months=entry.get("longest_real_world_months"),
        personal_data_rules=entry.get("personal_data_rules", ""), documents=tuple(entry["documents"]),
        publication=entry["publication"], criteria=tuple(entry["criteria"]),
    )  # fmt: skip


def _clock(rule: Mapping[str, Any], known: Mapping[str, Any]) -> ClockRule:
    entry = rule.get("own") or known.get(rule.get("clock", ""))
    if entry is None:
        raise InvalidInput("unknown_clock", f"clock {rule.get('clock')!r} is not in the catalogue of deadlines")
    terms = Terms(
        id=entry["id"], what=entry["what"], length=entry["length"], unit=entry["unit"],
        answer=rule.get("answer", "run"), most_pause_days=rule.get("most_pause_days"), status=entry["status"],
        ref=entry["ref"],
    )  # fmt: skip
    return ClockRule(terms=terms, starts_in=tuple(rule["from"]), ends_in=tuple(rule["until"]))
