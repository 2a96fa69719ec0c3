"""The audit trail in the browser: filters, one event, one object's history, and files that verify alone."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

from django.apps import apps
from django.contrib.auth.decorators import login_required
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.dateparse import parse_date
from django.views.decorators.http import require_safe

from accounts.permissions import Action, require
from accounts.selectors.trail import TrailReader, changes, kind_in_words, role_in_words, trail_reader, visible_events
from accounts.services import log_view
from records import keys
from records.canonical import canonical_json
from records.export import export_events, export_signature
from records.models import AuditEvent, AuditLink, Checkpoint, Signature

PAGE = 50


@login_required
@require_safe
def trail(request: HttpRequest) -> HttpResponse:
    """Newest first. Pages go by the event's key, so the last page of a long trail is as quick as the first."""
    reader = trail_reader(request.user)
    mine = visible_events(reader)
    filters = {name: request.GET.get(name, "").strip() for name in ("q", "action", "kind", "since", "until")}
    rows = _filtered(mine, filters, reader)
    before, after = _key(request.GET.get("before")), _key(request.GET.get("after"))
    if after is not None:
        page = list(rows.filter(pk__gt=after).order_by("pk")[: PAGE + 1])
        more_newer, page = len(page) > PAGE, page[:PAGE][::-1]
        more_older = True
    else:
        older = rows.filter(pk__lt=before) if before is not None else rows
        page = list(older.order_by("-pk")[: PAGE + 1])
        more_older, page = len(page) > PAGE, page[:PAGE]
        more_newer = before is not None
    kinds = sorted(mine.order_by().values_list("subject_kind", flat=True).distinct())
    context = {
        "rows": _rows(page, reader), "filters": filters, "filtered": any(filters.values()),
        "query": _query(filters), "newer": page[0].pk if page and more_newer else None,
        "older": page[-1].pk if page and more_older else None,
        "actions": sorted(mine.order_by().values_list("action", flat=True).distinct()),
        "kinds": [(one, kind_in_words(one)) for one in kinds],
        "reader": reader, "checkpoint": Checkpoint.objects.last(), "key_id": keys.key_id(),
        "last": AuditLink.objects.order_by("-position").first(),
    }  # fmt: skip
    return render(request, "records/trail.html", context)


@login_required
@require_safe
def event(request: HttpRequest, event_id: int) -> HttpResponse:
    reader = trail_reader(request.user)
    found = get_object_or_404(visible_events(reader).select_related("link"), pk=event_id)
    link = getattr(found, "link", None)
    closed_by = Checkpoint.objects.filter(position__gte=link.position).first() if link else None
    context = {
        "event": found, "link": link, "closed_by": closed_by, "values": reader.may_read_values(found),
        "changes": changes(found), "role": role_in_words(found.role), "name": reader.name_of(found),
    }  # fmt: skip
    return render(request, "records/event.html", context)


@login_required
@require_safe
def history(request: HttpRequest, kind: str, key: str) -> HttpResponse:
    """Everything that ever happened to one object, oldest first."""
    reader = trail_reader(request.user)
    events = list(_of_object(reader, kind, key).order_by("pk")[:2000])
    if not events:
        raise Http404
    _log_view_of_others(request, reader, events[-1])
    signatures = Signature.objects.filter(subject_kind=kind, subject_id=key)
    context = {
        "rows": _rows(events, reader), "kind": kind, "kind_words": kind_in_words(kind), "key": key,
        "name": reader.name_of(events[-1]),
        "signatures": [(one, None) for one in signatures], "full": not reader.metadata_only,
    }  # fmt: skip
    return render(request, "records/history.html", context)


@login_required
@require_safe
def history_file(request: HttpRequest, kind: str, key: str) -> HttpResponse:
    """The object's trail as a file that verifies alone; only what its reader may see is in it."""
    reader = trail_reader(request.user)
    events = _of_object(reader, kind, key)
    if not events.exists() or reader.metadata_only:
        raise Http404
    return _download(export_events(events), f"trail-{kind}-{key}.json")


@login_required
@require_safe
def signature_file(request: HttpRequest, signature_id: int) -> HttpResponse:
    """One signature with seal, key and certificate, for its signer and whoever reads the trail of its object."""
    found = get_object_or_404(Signature, pk=signature_id)
    if found.person_id != request.user.pk:
        reader = trail_reader(request.user)
        if not _of_object(reader, found.subject_kind, found.subject_id).exists():
            raise Http404
    return _download(export_signature(found), f"signature-{found.pk}.json")


def _log_view_of_others(request: HttpRequest, reader: TrailReader, event: AuditEvent) -> None:
    """A regulator's look at what was submitted to it is itself on record."""
    if event.owner_id is None or event.owner_id in reader.organisation_ids or not reader.regulator_ids:
        return
    subject = apps.get_model(event.subject_kind)._default_manager.filter(pk=event.subject_id).first()
    if subject is not None:
        by = require(request.user, Action.SEE, subject, request_id=getattr(request, "request_id", ""))
        log_view(subject, by=by, what="history")


def _of_object(reader: TrailReader, kind: str, key: str) -> "QuerySet[AuditEvent]":
    return visible_events(reader).filter(subject_kind=kind, subject_id=key)


def _filtered(rows: "QuerySet[AuditEvent]", filters: dict[str, str], reader: TrailReader) -> "QuerySet[AuditEvent]":
    if filters["q"]:
        text = filters["q"]
        wanted = Q(person_name__icontains=text) | Q(subject_id=text)
        wanted |= Q(request_id=text) | Q(sha256__startswith=text.lower())
        if not reader.metadata_only:  # else the search would tell what the page does not show
            wanted |= Q(reason__icontains=text) | Q(subject_name__icontains=text)
        rows = rows.filter(wanted)
    if filters["action"]:
        rows = rows.filter(action=filters["action"])
    if filters["kind"]:
        rows = rows.filter(subject_kind=filters["kind"])
    since, until = _day(filters["since"]), _day(filters["until"])
    if since:
        rows = rows.filter(at__gte=since)
    if until:
        rows = rows.filter(at__lt=until + timedelta(days=1))
    return rows


def _day(text: str) -> datetime | None:
    try:
        found = parse_date(text)
    except ValueError:
        return None
    return datetime.combine(found, time.min, UTC) if found else None


def _key(text: str | None) -> int | None:
    return int(text) if text and text.isdecimal() and len(text) < 19 else None


def _query(filters: dict[str, str]) -> str:
    from urllib.parse import urlencode

    return urlencode({name: value for name, value in filters.items() if value})


def _rows(events: list[AuditEvent], reader: TrailReader) -> list[dict[str, Any]]:
    return [
        {
            "event": one, "values": reader.may_read_values(one), "changes": changes(one)[:5],
            "role": role_in_words(one.role), "kind": kind_in_words(one.subject_kind), "name": reader.name_of(one),
        }
        for one in events
    ]  # fmt: skip


def _download(content: dict[str, Any], name: str) -> HttpResponse:
    answer = HttpResponse(canonical_json(content), content_type="application/json")
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer
