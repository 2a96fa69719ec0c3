from django.urls import path

from assurance.views import findings, jobs, methods

app_name = "assurance"
urlpatterns = [
    path("jobs/", jobs.job_list, name="job_list"),
    path("jobs/<uuid:job_id>/cancel", jobs.job_cancel, name="job_cancel"),
    path("methods/", methods.methods, name="methods"),
    path("methods/<slug:key>", methods.method, name="method"),
    path("findings/<slug:digest>", findings.finding, name="finding"),
]
