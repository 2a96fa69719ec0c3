"""One search over everything a person may see: names, and evidence ids by their first digits."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any

from django.contrib.auth.decorators import login_required
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse

from accounts.models import Person
from assurance.models import FindingRecord
from assurance.selectors.deployments import visible_deployments
from assurance.selectors.registry import visible_versions
from assurance.selectors.submissions import visible_submissions
from assurance.services.method_pages import all_methods
from assurance.views.findings import may_see_finding
from monitoring.models import Alarm
from reporting.selectors.dossiers import visible_dossiers

MOST = 12
EVIDENCE = re.compile(r"[0-9a-f]{6,64}")


@dataclass(frozen=True)
class Hit:
    title: str
    address: str
    told: str = ""
    state: str = ""


@dataclass(frozen=True)
class Section:
    title: str
    hits: list[Hit]
    more: bool = False


def search_everything(person: Person, words: str) -> list[Section]:
    """Sections with at most twelve hits each, empty ones left out."""
    terms = words.split()
    found = []
    for title, look in SOURCES:
        hits = list(look(person, terms))
        if hits:
            found.append(Section(title, hits[:MOST], len(hits) > MOST))
    return found


def matching(rows: QuerySet[Any], terms: Iterable[str], *fields: str) -> QuerySet[Any]:
    """Rows in which each term stands in one of ``fields``."""
    for term in terms:
        wanted = Q()
        for field in fields:
            wanted |= Q(**{f"{field}__icontains": term})
        rows = rows.filter(wanted)
    return rows[: MOST + 1]


def _evidence(person: Person, terms: list[str]) -> Iterable[Hit]:
    if len(terms) != 1 or not EVIDENCE.fullmatch(terms[0].lower()):
        return
    rows = FindingRecord.objects.filter(digest__startswith=terms[0].lower()).select_related("deployment", "version")
    seen = (row for row in rows.order_by("digest")[:100] if may_see_finding(person, row))
    for row in islice(seen, MOST + 1):
        place = f"{row.deployment or row.version}, {row.stratum or 'all cases'}"
        title = f"{row.evidence_id}: {row.quantity}{f' of {row.signal}' if row.signal else ''}"
        yield Hit(title, reverse("assurance:finding", args=[row.digest[:16]]), place, row.state)


def _deployments(person: Person, terms: list[str]) -> Iterable[Hit]:
    rows = matching(
        visible_deployments(person), terms, "name", "slug", "organisation__name", "version__model__name",
        "version__version", "sites__name",
    )  # fmt: skip
    seen = set()
    for row in rows:
        if row.pk not in seen:
            seen.add(row.pk)
            yield Hit(row.name, reverse("monitoring:deployment", args=[row.slug]), f"{row.version}, {row.organisation}")


def _alarms(person: Person, terms: list[str]) -> Iterable[Hit]:
    rows = Alarm.objects.filter(deployment__in=visible_deployments(person)).select_related("deployment")
    for row in matching(rows, terms, "signal", "quantity", "stratum", "deployment__name", "status"):
        told = f"{row.deployment}, {row.get_status_display().lower()} since {row.window_start:%Y-%m-%d}"
        yield Hit(str(row), reverse("monitoring:alarm", args=[row.pk]), told, row.finding_state)


def _versions(person: Person, terms: list[str]) -> Iterable[Hit]:
    rows = visible_versions(person).select_related("model__organisation")
    for row in matching(rows, terms, "model__name", "version", "model__modality", "model__task", "weights_sha256"):
        yield Hit(str(row), reverse("assurance:version", args=[row.pk]), f"{row.model.organisation}, {row.model.task}")


def _submissions(person: Person, terms: list[str]) -> Iterable[Hit]:
    rows = visible_submissions(person)
    for row in matching(rows, terms, "title", "organisation__name", "regulator__name", "version__model__name", "state"):
        told = f"{row.version}, {row.organisation} before {row.regulator}"
        yield Hit(f"{row.label} {row.title}", reverse("assurance:submission", args=[row.pk]), told)


def _dossiers(person: Person, terms: list[str]) -> Iterable[Hit]:
    rows = visible_dossiers(person)
    for row in matching(rows, terms, "number", "title", "purpose", "version__model__name", "organisation__name"):
        address = reverse("reporting:dossier", args=[row.pk])
        yield Hit(f"{row.number} {row.title}", address, f"{row.get_status_display()}, {row.version}")


def _methods(person: Person, terms: list[str]) -> Iterable[Hit]:
    for page in all_methods():
        text = f"{page.key} {page.title}".lower()
        if all(term.lower() in text for term in terms):
            yield Hit(page.title, reverse("assurance:method", args=[page.key]), page.question)


SOURCES: tuple[tuple[str, Callable[[Person, list[str]], Iterable[Hit]]], ...] = (
    ("Evidence", _evidence), ("Deployments", _deployments), ("Alarms", _alarms), ("Submissions", _submissions),
    ("Dossiers", _dossiers), ("Model versions", _versions), ("Methods", _methods),
)  # fmt: skip


@login_required
def search(request: HttpRequest) -> HttpResponse:
    words = " ".join(request.GET.get("q", "").split())[:200]
    sections = search_everything(request.user, words) if words else []
    return render(request, "search.html", {"q": words, "sections": sections})
