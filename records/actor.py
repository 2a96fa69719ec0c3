"""Who acts: carried from the door down to the audit trail, by id only."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Actor:
    """A person acting for an organisation in a role. ``person_id`` is None only for the system itself."""

    person_id: int | None
    organisation_id: int | None
    role: str
    request_id: str = ""


SYSTEM = Actor(person_id=None, organisation_id=None, role="system")
