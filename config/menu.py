"""The main menu: what a person may open, by the kinds of organisation they belong to."""

from typing import Any

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from accounts.permissions import memberships

ENTRIES = (
    ("Fleet", "monitoring:fleet", {"hospital", "developer", "operator"}),
    ("Alarms", "monitoring:alarm_list", {"hospital", "developer"}),
    ("Incidents", "vigilance:incident_list", {"hospital", "developer"}),
    ("Models", "assurance:model_list", {"hospital", "developer", "regulator", "operator"}),
    ("Submissions", "assurance:submission_list", {"hospital", "developer", "regulator"}),
    ("Dossiers", "reporting:dossier_list", {"hospital", "developer", "regulator"}),
    ("Jobs", "assurance:job_list", {"hospital", "developer", "operator"}),
    ("Organisations", "accounts:organisation_list", {"operator"}),
    ("Audit", "records:trail", {"hospital", "developer", "regulator", "operator"}),
)


def main_menu(request: HttpRequest) -> dict[str, Any]:
    if not request.user.is_authenticated:
        return {"main_menu": []}
    kinds = {membership.organisation.kind for membership in memberships(request.user)}
    entries = []
    for title, name, wanted in ENTRIES:
        if not kinds & wanted:
            continue
        try:
            address = reverse(name)
        except NoReverseMatch:
            continue
        current = request.path.startswith(address) if address != "/" else request.path == "/"
        entries.append({"title": title, "address": address, "current": current})
    return {"main_menu": entries}
