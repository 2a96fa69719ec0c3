from django.urls import path

from generalizability.views import page

app_name = "generalizability"
urlpatterns = [
    path("deployments/<slug:slug>/generalizability", page.generalizability, name="page"),
    path("deployments/<slug:slug>/generalizability/measure", page.measure, name="measure"),
]
