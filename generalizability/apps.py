from django.apps import AppConfig


class GeneralizabilityConfig(AppConfig):
    name = "generalizability"
    default_auto_field = "django.db.models.BigAutoField"
