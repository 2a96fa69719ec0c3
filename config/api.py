"""The HTTP interface: one door, one shape of refusal, OpenAPI at ``/api/v1/openapi.json``."""

from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI

from assurance.api import router as assurance_router
from assurance.evidence.errors import InvalidInput, NotComputable, Unavailable
from explainability.api import router as explainability_router
from monitoring.api import router as monitoring_router
from reporting.api import router as reporting_router
from vigilance.api import router as vigilance_router

api = NinjaAPI(title="Vigil", version="1", urls_namespace="api", docs_url="/docs", openapi_url="/openapi.json")
for router in (monitoring_router, explainability_router, assurance_router, reporting_router, vigilance_router):
    api.add_router("", router)


@api.exception_handler(InvalidInput)
def refuse_input(request: HttpRequest, refusal: InvalidInput) -> HttpResponse:
    return api.create_response(request, refusal.as_dict(), status=422)


@api.exception_handler(NotComputable)
def refuse_computation(request: HttpRequest, refusal: NotComputable) -> HttpResponse:
    return api.create_response(request, refusal.as_dict(), status=409)


@api.exception_handler(Unavailable)
def refuse_for_now(request: HttpRequest, refusal: Unavailable) -> HttpResponse:
    answer = api.create_response(request, refusal.as_dict(), status=503)
    answer["Retry-After"] = "30"
    return answer
