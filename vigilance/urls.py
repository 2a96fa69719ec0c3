from django.urls import path

from vigilance.views import actions, clocks, incidents

app_name = "vigilance"
urlpatterns = [
    path("incidents", incidents.incident_list, name="incident_list"),
    path("incidents/new", incidents.incident_new, name="incident_new"),
    path("incidents/<int:number>", incidents.incident, name="incident"),
    path("incidents/<int:number>/kind", incidents.incident_kind, name="incident_kind"),
    path("incidents/<int:number>/actions", actions.action_add, name="action_add"),
    path("incidents/<int:number>/actions/<int:action_id>/done", actions.action_done, name="action_done"),
    path("incidents/<int:number>/close", incidents.incident_close, name="incident_close"),
    path("incidents/<int:number>/clocks/<int:clock_id>/report", clocks.clock_report, name="clock_report"),
    path("incidents/<int:number>/clocks/<int:clock_id>/waive", clocks.clock_waive, name="clock_waive"),
    path("incidents/<int:number>/clocks/<int:clock_id>/due", clocks.clock_due, name="clock_due"),
]
