from django.urls import path

from reporting.views import check, compare, dossiers, weekly

app_name = "reporting"
urlpatterns = [
    path("weekly.pdf", weekly.weekly_pdf, name="weekly_pdf"),
    path("dossiers/", dossiers.dossier_list, name="dossier_list"),
    path("dossiers/build", dossiers.dossier_build, name="dossier_build"),
    path("dossiers/verify", check.verify, name="verify"),
    path("dossiers/compare", compare.compare_dossiers, name="compare"),
    path("dossiers/<uuid:dossier_id>", dossiers.dossier, name="dossier"),
    path("dossiers/<uuid:dossier_id>/sign", dossiers.dossier_sign, name="dossier_sign"),
    path("dossiers/<uuid:dossier_id>/<str:form>", dossiers.dossier_file, name="dossier_file"),
]
