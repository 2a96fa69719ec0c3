"""The fleet's week as PDF, for whoever may see a fleet."""

from datetime import UTC, datetime, timedelta

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse

from accounts.permissions import Action, require
from monitoring.selectors.week import week_of
from reporting.services.weekly import summary_pdf


@login_required
def weekly_pdf(request: HttpRequest) -> HttpResponse:
    """The seven days up to and with today."""
    require(request.user, Action.SEE)
    until = datetime.now(UTC).date() + timedelta(days=1)
    content = summary_pdf(week_of(request.user, until=until), request.user)
    name = f"vigil-week-{until - timedelta(days=1)}.pdf"
    return HttpResponse(
        content, content_type="application/pdf", headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )
