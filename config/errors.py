"""The page for what went wrong on our side: touches no database, and names the request for whoever looks for it."""

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string


def server_error(request: HttpRequest) -> HttpResponse:
    told = {"request_id": getattr(request, "request_id", "")}
    return HttpResponse(render_to_string("500.html", told), status=500)
