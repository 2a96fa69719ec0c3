"""Submissions as far as a person may look, and where each stands."""

from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.models import Organisation, Person
from accounts.permissions import organisation_ids
from assurance.models import CardRevision, EvidenceItem, ModelVersion, Submission
from assurance.models.submissions import UNSEEN_BY_HOSPITALS


def visible_submissions(person: Person) -> "QuerySet[Submission]":
    """A developer's own; a regulator's while it has access; a hospital's once there is something to commit to."""
    kind: Any = Organisation.Kind
    own = Q(organisation_id__in=organisation_ids(person))
    received = Q(regulator_id__in=organisation_ids(person, kinds=[kind.REGULATOR])) & open_to_regulator()
    sites = organisation_ids(person, kinds=[kind.HOSPITAL])
    at_ours = Submission.objects.filter(deployments__organisation_id__in=sites).exclude(state__in=UNSEEN_BY_HOSPITALS)
    rows = Submission.objects.filter(own | received | Q(pk__in=at_ours.values("pk")))
    return rows.select_related("organisation", "regulator", "version__model").distinct()


def open_to_regulator(prefix: str = "") -> Q:
    """Submissions that their authority may see now, as a filter; ``prefix`` leads to the submission."""
    has_end = {f"{prefix}regulator_until__isnull": False, f"{prefix}regulator_until__lte": timezone.now()}
    return Q(**{f"{prefix}submitted_at__isnull": False}) & ~Q(**has_end)


def side_for(submission: Submission, person: Person) -> str:
    """developer, regulator or hospital, in this order, or an empty text."""
    mine = set(organisation_ids(person))
    parties = submission.organisations()
    for side, organisations in (
        ("developer", parties["owner"]),
        ("regulator", parties.get("regulator", set())),
        ("hospital", parties.get("hospital", set())),
    ):
        if mine & organisations:
            return side
    return ""


def evidence_seen_by(submission: Submission, side: str) -> "QuerySet[EvidenceItem]":
    """All for the developer; for others what the snapshot holds and what came after it was submitted."""
    rows = submission.evidence.filter(withdrawn_at=None).select_related("finding", "author", "request")
    if side == "developer":
        return rows
    held = [part["id"].removeprefix("item-") for part in (submission.snapshot or {}).get("evidence", [])]
    in_snapshot = Q(pk__in=[int(key) for key in held if key.isdigit()])
    after = Q(added_at__gte=submission.submitted_at) if submission.submitted_at else Q(pk__in=[])
    return rows.filter(in_snapshot | after)


def submitted_revision(version: ModelVersion, person: Person) -> CardRevision | None:
    """The card revision that the person may read as a regulator: the one in the newest snapshot submitted to them."""
    received = visible_submissions(person).filter(version=version, submitted_at__isnull=False, snapshot__isnull=False)
    for submission in received.order_by("-submitted_at"):
        card = submission.snapshot.get("card") if submission.snapshot else None
        if card:
            return CardRevision.objects.filter(card__version=version, sha256=card["sha256"]).first()
    return None
