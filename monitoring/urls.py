from django.urls import path

from monitoring.views import alarms, batches, deployment, dicomweb, exemplars, fleet, saved_views, schema, window
from monitoring.views import window_report as reports

app_name = "monitoring"
urlpatterns = [
    path("", fleet.fleet, name="fleet"),
    path("work", fleet.work, name="work"),
    path("views/save", saved_views.save, name="view_save"),
    path("views/<int:view_id>/forget", saved_views.forget, name="view_forget"),
    path("weekly-summary", saved_views.weekly, name="weekly"),
    path("deployments/<slug:slug>", deployment.deployment, name="deployment"),
    path("deployments/<slug:slug>/window", window.window, name="window"),
    path("deployments/<slug:slug>/window/exemplars", exemplars.exemplars, name="exemplars"),
    path("deployments/<slug:slug>/window/report", reports.window_report, name="window_report"),
    path("deployments/<slug:slug>/window/reports/<int:report_id>", reports.report_page, name="report_page"),
    path("deployments/<slug:slug>/strip.csv", deployment.strip_csv, name="strip_csv"),
    path("deployments/<slug:slug>/chart.csv", window.chart_csv, name="chart_csv"),
    path("deployments/<slug:slug>/deliveries", batches.batch_list, name="batch_list"),
    path("deployments/<slug:slug>/columns", schema.schema, name="schema"),
    path("deployments/<slug:slug>/columns/confirm", schema.schema_confirm, name="schema_confirm"),
    path("deployments/<slug:slug>/columns/rules", schema.intake_rules, name="intake_rules"),
    path("dicomweb/studies", dicomweb.store, name="stow"),
    path("dicomweb/studies/<str:study>", dicomweb.store, name="stow_study"),
    path("deliveries/<uuid:batch_id>", batches.batch, name="batch"),
    path("deliveries/<uuid:batch_id>/rejects.csv", batches.batch_rejects, name="batch_rejects"),
    path("alarms", alarms.alarm_list, name="alarm_list"),
    path("alarms/<int:alarm_id>", alarms.alarm, name="alarm"),
    path("alarms/<int:alarm_id>/handle", alarms.alarm_handle, name="alarm_handle"),
]
