"""Two dossiers side by side: what changed between them."""

from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from accounts.permissions import Action, require
from accounts.row_security import seeing
from reporting.models import Dossier
from reporting.selectors.compare import compare, contents_of
from reporting.selectors.dossiers import visible_dossiers

CHANGES = (("state", "Other state"), ("value", "Other value"), ("new", "New"), ("gone", "Gone"), ("same", "Unchanged"))


@login_required
def compare_dossiers(request: HttpRequest) -> HttpResponse:
    ready = visible_dossiers(request.user).exclude(contents=None)
    chosen: list[Dossier] = []
    for name in ("before", "after"):
        number = request.GET.get(name, "")
        if number:
            found = get_object_or_404(ready, number=number)
            require(request.user, Action.SEE, found)
            chosen.append(found)
    context: dict[str, object] = {
        "dossiers": ready,
        "chosen": chosen,
        "comparison": None,
        "changes": CHANGES,
        "change": request.GET.get("change", ""),
    }
    if len(chosen) == 2:
        with seeing([one.organisation_id for one in chosen]):
            before, after = (contents_of(one) for one in chosen)
        if before is not None and after is not None:
            made = compare(before, after)
            wanted = context["change"]
            rows = [pair for pair in made.findings if (pair.change == wanted if wanted else pair.change != "same")]
            context |= {
                "comparison": made,
                "page": Paginator(rows, 60).get_page(request.GET.get("page")),
                "counts": [(key, words, made.counts.get(key, 0)) for key, words in CHANGES],
            }
    return render(request, "reporting/compare.html", context)
