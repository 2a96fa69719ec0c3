from django.urls import path

from monitoring.views import alarms, deployment, fleet

app_name = "monitoring"
urlpatterns = [
    path("", fleet.fleet, name="fleet"),
    path("deployments/<slug:slug>", deployment.deployment, name="deployment"),
    path("alarms", alarms.alarm_list, name="alarm_list"),
    path("alarms/<int:alarm_id>", alarms.alarm, name="alarm"),
    path("alarms/<int:alarm_id>/handle", alarms.alarm_handle, name="alarm_handle"),
]
