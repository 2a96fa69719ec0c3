"""Keeping and forgetting a choice of filters, and asking for the weekly summary."""

from urllib.parse import parse_qsl, urlencode

from django.db import transaction

from accounts.models import Person
from assurance.evidence.errors import InvalidInput
from assurance.models import Deployment
from monitoring.models import SavedView, WeeklySummary
from records.actor import Actor
from records.services import record_event

MOST_VIEWS, LONGEST_TITLE, LONGEST_QUERY = 30, 60, 500


@transaction.atomic
def save_view(*, title: str, query: str, deployment: Deployment | None, by: Actor) -> SavedView:
    """Keep ``query`` (what stands after the question mark) under ``title``; the same title is written over.

    Raises
    ------
    InvalidInput
        ``title_missing``, ``title_too_long``, ``query_too_long``, ``too_many_views``.
    """
    title = title.strip()
    if not title:
        raise InvalidInput("title_missing", "title is empty: give the view a name")
    if len(title) > LONGEST_TITLE:
        raise InvalidInput("title_too_long", f"title has {len(title)} characters: give at most {LONGEST_TITLE}")
    clean = urlencode([(key, value) for key, value in parse_qsl(query.removeprefix("?")) if key != "page"])
    if len(clean) > LONGEST_QUERY:
        raise InvalidInput("query_too_long", f"the filters have {len(clean)} characters: at most {LONGEST_QUERY}")
    if SavedView.objects.filter(person_id=by.person_id).count() >= MOST_VIEWS:
        raise InvalidInput("too_many_views", f"{MOST_VIEWS} views are kept already: forget one first")
    view, _ = SavedView.objects.update_or_create(
        person_id=by.person_id, deployment=deployment, title=title, defaults={"query": clean}
    )
    record_event(action="view.save", subject=view, by=by, new={"title": title, "query": clean})
    return view


@transaction.atomic
def forget_view(view: SavedView, *, by: Actor) -> None:
    record_event(action="view.forget", subject=view, by=by, old={"title": view.title, "query": view.query})
    view.delete()


@transaction.atomic
def want_weekly_summary(person: Person, *, wanted: bool, by: Actor) -> None:
    """Begin or end the weekly mail. Asking twice changes nothing."""
    summary = WeeklySummary.objects.select_for_update().filter(person=person).first()
    if wanted and summary is None:
        summary = WeeklySummary.objects.create(person=person)
        record_event(action="summary.begin", subject=summary, by=by, new={"wanted": True})
    elif not wanted and summary is not None:
        record_event(action="summary.end", subject=summary, by=by, old={"wanted": True})
        summary.delete()
