from django.urls import path

from explainability.views import cases, files, methods

app_name = "explainability"
urlpatterns = [
    path("deployments/<slug:slug>/cases", cases.case_list, name="cases"),
    path("deployments/<slug:slug>/cases/<slug:case>", cases.case, name="case"),
    path("deployments/<slug:slug>/cases/<slug:case>/ask", cases.ask, name="ask"),
    path("deployments/<slug:slug>/cases/<slug:case>/layers/<slug:role>", files.case_layer, name="case_layer"),
    path("deployments/<slug:slug>/explanations", methods.cards, name="cards"),
    path("explanations/<uuid:explanation_id>/layers/<slug:kind>", files.map_layer, name="map_layer"),
    path("explanations/<uuid:explanation_id>/download/<slug:kind>", files.download, name="download"),
]
