from django.apps import AppConfig


class VigilanceConfig(AppConfig):
    name = "vigilance"
    default_auto_field = "django.db.models.BigAutoField"
