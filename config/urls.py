"""Every address of the instance."""

from django.urls import include, path

from config import health
from config.api import api
from config.search import search

urlpatterns = [
    path("healthz", health.process, name="healthz"),
    path("readyz", health.ready, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
    path("account/", include("accounts.auth_urls")),
    path("search", search, name="search"),
    path("api/v1/", api.urls),
    path("", include("accounts.urls")),
    path("", include("accounts.trail_urls")),
    path("", include("assurance.urls")),
    path("", include("monitoring.urls")),
    path("", include("explainability.urls")),
    path("", include("generalizability.urls")),
    path("", include("vigilance.urls")),
    path("", include("reporting.urls")),
]

handler500 = "config.errors.server_error"
