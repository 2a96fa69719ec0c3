from django.urls import path

from assurance.views import card_files, cards, coverage, findings, jobs, methods, registering, registry, submissions

app_name = "assurance"
urlpatterns = [
    path("jobs/", jobs.job_list, name="job_list"),
    path("jobs/<uuid:job_id>/cancel", jobs.job_cancel, name="job_cancel"),
    path("methods/", methods.methods, name="methods"),
    path("methods/<slug:key>", methods.method, name="method"),
    path("findings/<slug:digest>", findings.finding, name="finding"),
    path("models/", registry.model_list, name="model_list"),
    path("models/<slug:slug>", registry.model, name="model"),
    path("register/model", registering.model_new, name="model_new"),
    path("register/version/<slug:slug>", registering.version_new, name="version_new"),
    path("register/deployment", registering.deployment_new, name="deployment_new"),
    path("versions/<int:version_id>", registry.version, name="version"),
    path("versions/<int:version_id>/bill-of-materials", registry.version_bill, name="version_bill"),
    path("cards/<int:version_id>", cards.card, name="card"),
    path("cards/<int:version_id>/edit", cards.card_edit, name="card_edit"),
    path("cards/<int:version_id>/difference", cards.card_difference, name="card_difference"),
    path("cards/<int:version_id>/publish", cards.card_publish, name="card_publish"),
    path("cards/<int:version_id>/export/<slug:form>", card_files.card_export, name="card_export"),
    path("cards/<int:version_id>/import", card_files.card_import, name="card_import"),
    path("cards/schema.json", card_files.card_json_schema, name="card_schema"),
    path("submissions/", submissions.submission_list, name="submission_list"),
    path("submissions/start", submissions.submission_start, name="submission_start"),
    path("submissions/<uuid:submission_id>", submissions.submission, name="submission"),
    path("submissions/<uuid:submission_id>/act", submissions.submission_act, name="submission_act"),
    path("submissions/<uuid:submission_id>/coverage", coverage.coverage, name="coverage"),
    path("submissions/<uuid:submission_id>/across", coverage.coverage_across, name="coverage_across"),
    path("submissions/<uuid:submission_id>/changes", coverage.submission_changes, name="submission_changes"),
    path("submissions/<uuid:submission_id>/files/<int:item_id>", submissions.evidence_file, name="evidence_file"),
]
