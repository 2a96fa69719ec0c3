"""Addresses of the audit trail. They stand here because reading it takes a role, and ``records`` knows no people."""

from django.urls import path

from accounts.views import trail

app_name = "records"
urlpatterns = [
    path("audit", trail.trail, name="trail"),
    path("audit/events/<int:event_id>", trail.event, name="event"),
    path("audit/objects/<str:kind>/<str:key>.json", trail.history_file, name="history_file"),
    path("audit/objects/<str:kind>/<str:key>", trail.history, name="history"),
    path("audit/signatures/<int:signature_id>.json", trail.signature_file, name="signature"),
]
